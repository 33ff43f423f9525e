"""How good a policy is: exactly where the game can be enumerated, else by win rates; nothing here trains."""
