"""Whether vLLM's own argument parser accepts a server's command line.

``python -m sl_dagster.resources.engines.vllm_arguments --OPTION VALUE...`` ends with 0 or with the
parser's own message. It is a program, because importing vLLM takes seconds and what it sets up must
not stay in the caller's process.
"""

import sys


def main() -> None:
    """Parse the command line as vLLM's server does."""
    from vllm.entrypoints.launchers.cli_args import (  # pyright: ignore[reportMissingImports]
        make_arg_parser,
        validate_parsed_serve_args,
    )
    from vllm.utils.argparse_utils import (  # pyright: ignore[reportMissingImports]
        FlexibleArgumentParser,
    )

    arguments = make_arg_parser(FlexibleArgumentParser()).parse_args()
    assert arguments is not None
    try:
        validate_parsed_serve_args(arguments)
    except (TypeError, ValueError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
