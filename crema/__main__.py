"""Run the program ``crema`` as ``python -m crema``."""

from crema.program import entry_point

if __name__ == "__main__":
    entry_point()
