"""Text environments: the contract (`core`), the games, and the Gymnasium and PettingZoo views of them."""
