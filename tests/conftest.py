"""What all tests share: nothing but the path of their own builders."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
