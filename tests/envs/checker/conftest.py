"""The games of these tests live in a module of their own, which worker processes can import too."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
