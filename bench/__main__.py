"""`dev/bench transfer|fetch [--size 2GiB] [--rounds 3]`, `dev/bench admission [--requests 400]`,
`dev/bench gateway [--seconds 10]`, `dev/bench ledger [--servers 5000]`,
`dev/bench console [--servers 1000]`, `dev/bench reconcile [--serves 500]`,
`dev/bench transfers [--models 200]`, `dev/bench store [--size 1GiB]`. Each prints a table and
writes a JSON file.
"""

import argparse
import json
import sys
from pathlib import Path

from bench import report, throughput
from dev.terminal import echo


def main() -> int:
    """Returns 0 if the goals are met, otherwise 1."""
    if sys.argv[1:2] == ["admission"]:
        from bench import admission

        return admission.main(sys.argv[2:])
    if sys.argv[1:2] == ["gateway"]:
        from bench import gateway

        return gateway.main(sys.argv[2:])
    if sys.argv[1:2] == ["ledger"]:
        from bench import ledger

        return ledger.main(sys.argv[2:])
    if sys.argv[1:2] == ["console"]:
        from bench import console

        return console.main(sys.argv[2:])
    if sys.argv[1:2] == ["reconcile"]:
        from bench import reconcile

        return reconcile.main(sys.argv[2:])
    if sys.argv[1:2] == ["transfers"]:
        from bench import transfers

        return transfers.main(sys.argv[2:])
    if sys.argv[1:2] == ["store"]:
        from bench import embedded_stores

        return embedded_stores.main(sys.argv[2:])
    options = _options()
    with throughput.staged(options.size) as stage:
        if options.what == "transfer":
            contenders = throughput.transfer_contenders(stage, rclone=options.rclone)
            costs = throughput.contest(
                stage, contenders, options.rounds, lambda: throughput.clear_store(stage)
            )
        else:
            contenders = throughput.fetch_contenders(stage, rclone=options.rclone)
            costs = throughput.contest(
                stage, contenders, options.rounds, lambda: throughput.clear_volume(stage)
            )
    found = report.summary(options.what, options.size, costs)
    options.output.write_text(json.dumps(found, indent=2) + "\n")
    print(report.table(found))
    echo(f"written to {options.output}")
    return 0 if all(goal["met"] for goal in found["goals"].values()) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dev/bench", description=__doc__)
    parser.add_argument("what", choices=sorted(report.GOALS))
    parser.add_argument(
        "--size", type=throughput.parse_size, default="2GiB", help="such as 512MiB or 2GiB"
    )
    parser.add_argument("--rounds", type=int, default=3, help="runs of each contender")
    parser.add_argument("--no-rclone", dest="rclone", action="store_false", help="without rclone")
    parser.add_argument("--output", type=Path, help="default: bench-WHAT.json")
    options = parser.parse_args()
    options.output = options.output or Path(f"bench-{options.what}.json")
    return options


if __name__ == "__main__":
    sys.exit(main())
