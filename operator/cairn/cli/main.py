# SPDX-License-Identifier: Apache-2.0
"""The command line `cairn`: one table of subcommands, each a module of its own that is imported when it is called."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

COMMANDS = {
    "operator": ("cairn.cli.operator", "run the operator"),
    "bus": ("cairn.cli.bus", "make the keys and the configuration of a bus"),
    "check": ("cairn.cli.check", "judge manifests offline, with file and line"),
    "worker": ("cairn.cli.worker", "write one subscription's records into its database"),
    "pool": ("cairn.cli.pool", "run the workers of subscriptions that have none of their own"),
    "platform-sim": ("cairn.cli.platform_sim", "play a platform with orders of its own, to try Cairn against"),
    "gateway": ("cairn.cli.gateway", "take records from the platform and put them on the bus"),
    "calendar": ("cairn.cli.calendar", "show what will be how big when, and what that costs"),
    "cost": ("cairn.cli.cost", "show what every resource costs this month, and what promotions add"),
    "crds": ("cairn.cli.crds", "write the CustomResourceDefinitions"),
    "diff": ("cairn.cli.diff", "show what Cairn would change in a live cluster"),
    "grants": ("cairn.cli.grants", "show what apps ask for, what is granted and what is effective, side by side"),
    "audit-log": ("cairn.cli.audit_log", "show who got or lost which right on shared data, when and why"),
    "proof": ("cairn.cli.proof", "show what the platform has against what stands in sellers' databases"),
    "status": ("cairn.cli.status", "show on one page what is wrong in the whole cloud, and what to do next"),
    "render": ("cairn.cli.render", "show what Cairn would make of manifests, without a cluster"),
    "start": ("cairn.cli.operate", "start a machine or a database, by an Operation"),
    "stop": ("cairn.cli.operate", "stop a machine or a database, by an Operation"),
    "restart": ("cairn.cli.operate", "restart a machine or a database, by an Operation"),
    "snapshot": ("cairn.cli.operate", "take a snapshot of a machine's disk, by an Operation"),
    "restore": ("cairn.cli.operate", "put a stopped machine's disk back to a snapshot, by an Operation"),
    "clone": ("cairn.cli.operate", "make a new machine from another one's disk, by an Operation"),
    "erase": ("cairn.cli.operate", "hide a buyer from every app of an IntegrationTenant, by an Operation"),
    "replay": ("cairn.cli.operate", "try again what a PushSubscription has in quarantine, by an Operation"),
    "discard": ("cairn.cli.operate", "give up what a PushSubscription has in quarantine, by an Operation"),
    "audit": ("cairn.cli.operate", "hold hours of a PushSubscription against the platform, by an Operation"),
    "backfill": ("cairn.cli.operate", "bring in what the platform had before, by an Operation"),
    "uninstall": ("cairn.cli.uninstall", "let go of every object after the operator was uninstalled"),
}
"""Name: (module, help). A module has `add(parser)`, which declares its arguments, and `run(args) -> exit code`."""


class Command(Protocol):
    """What a subcommand's module offers."""

    def add(self, parser: argparse.ArgumentParser) -> None:
        """Declare the arguments."""

    def run(self, args: argparse.Namespace) -> int:
        """Do it, and return the exit code: 0 fine, 1 a finding or failure, 2 wrong usage."""


def parser(name: str | None) -> argparse.ArgumentParser:
    """The parser. Only the subcommand called `name` has its arguments: the others' modules aren't imported for it."""
    called = "kubectl cairn" if Path(sys.argv[0]).name == "kubectl-cairn" else "cairn"
    top = argparse.ArgumentParser(prog=called, description="A data cloud of its own for every seller, on Kubernetes.")
    subparsers = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command, (module, help_) in COMMANDS.items():
        sub = subparsers.add_parser(command, help=help_, description=help_[0].upper() + help_[1:] + ".")
        if command == name:
            cast("Command", import_module(module)).add(sub)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run `cairn ARGV…` and return the exit code."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    name = next((argument for argument in arguments if argument in COMMANDS), None)
    args = parser(name).parse_args(arguments)
    try:
        return cast("Command", import_module(COMMANDS[args.command][0])).run(args)
    except BrokenPipeError:  # `cairn render … | head`
        sys.stderr.close()
        return 1
