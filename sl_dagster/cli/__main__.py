"""``python -m sl_dagster.cli``."""

from sl_dagster.cli import main

if __name__ == "__main__":
    main()
