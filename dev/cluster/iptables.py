"""The cluster's packet filter rules: its own, and those that kube-proxy and the kubelet leave."""

import itertools

from dev.cluster.layout import BRIDGE
from dev.cluster.shell import attempt, run

BLOCK_OUTBOUND = ("FORWARD", "-i", BRIDGE, "!", "-o", BRIDGE, "-j", "DROP")
FAMILIES = ("iptables", "ip6tables")


def block_outbound() -> None:
    """Drop what the bridge would forward to any other device."""
    if attempt("iptables", "-w", "-C", *BLOCK_OUTBOUND).returncode != 0:
        run("iptables", "-w", "-I", *BLOCK_OUTBOUND)


def remove_rules() -> None:
    """Remove the cluster's own rule and every KUBE- chain, in one step for each family."""
    while attempt("iptables", "-w", "-D", *BLOCK_OUTBOUND).returncode == 0:
        pass
    for family in FAMILIES:
        saved = attempt(f"{family}-save")
        if saved.returncode == 0 and (script := removal(saved.stdout)):
            run(f"{family}-restore", "-w", "--noflush", stdin=script)


def removal(saved: str) -> str:
    """`iptables-restore --noflush` input that removes each KUBE- chain and each jump to one.

    `saved` is the output of `iptables-save`; the result is empty if it has no KUBE- chain.
    """
    tables = [_table_removal(table) for table in saved.split("\n*")]
    return "".join(tables)


def _table_removal(table: str) -> str:
    lines = table.splitlines()
    names = [line.lstrip("*") for line in lines if line and not line.startswith(("#", ":", "-"))]
    chains = [line[1:].split()[0] for line in lines if line.startswith(":KUBE-")]
    jumps = [line for line in lines if line.startswith("-A ") and _is_jump_from_outside(line)]
    if not chains and not jumps:
        return ""
    body = [line.replace("-A ", "-D ", 1) for line in jumps]
    body += [f"-F {chain}" for chain in chains] + [f"-X {chain}" for chain in chains]
    return "\n".join([f"*{names[0]}", *body, "COMMIT", ""])


def _is_jump_from_outside(rule: str) -> bool:
    words = rule.split()
    inside = words[1].startswith("KUBE-")
    return not inside and any(
        flag in {"-j", "-g"} and target.startswith("KUBE-")
        for flag, target in itertools.pairwise(words)
    )
