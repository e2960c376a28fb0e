"""The node's network: a bridge for all traffic of the cluster, which never leaves it.

Service addresses are routed to the bridge, so unknown ones are dropped there; so is what pods send
to any address outside the bridge.
"""

import json
from pathlib import Path

from dev.cluster import iptables
from dev.cluster.layout import (
    BRIDGE,
    BRIDGE_CIDR,
    CNI_CONFIG,
    CNI_NETWORK,
    CNI_RESULTS,
    FIRST_POD_IP,
    NODE_STATE,
    POD_CIDR,
    SERVICE_CIDR,
)
from dev.cluster.shell import attempt, run

SYSCTLS = (
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "net/bridge/bridge-nf-call-iptables",
    "net/ipv4/conf/all/route_localnet",
    "net/ipv4/ip_forward",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
)
"""Machine-wide settings that the cluster changes; restored when it is stopped."""
SYSCTL_ROOT = Path("/proc/sys")


def sysctls() -> dict[str, str]:
    """The current values of the settings that the cluster changes."""
    there = [name for name in SYSCTLS if (SYSCTL_ROOT / name).exists()]
    return {name: (SYSCTL_ROOT / name).read_text().strip() for name in there}


def restore_sysctls(values: dict[str, str]) -> None:
    now = sysctls()
    for name, value in values.items():
        if name in now and now[name] != value:
            (SYSCTL_ROOT / name).write_text(value)


def create() -> None:
    """Create the bridge, its routes and the rule that drops outbound packets; idempotent."""
    if not bridge_exists():
        run("ip", "link", "add", BRIDGE, "type", "bridge")
    run("ip", "addr", "replace", BRIDGE_CIDR, "dev", BRIDGE)
    run("ip", "link", "set", BRIDGE, "up")
    run("ip", "route", "replace", SERVICE_CIDR, "dev", BRIDGE)
    (SYSCTL_ROOT / "net/ipv4/ip_forward").write_text("1")
    iptables.block_outbound()
    CNI_CONFIG.mkdir(parents=True, exist_ok=True)
    (CNI_CONFIG / "10-bridge.conflist").write_text(json.dumps(cni_config()))


def cni_config() -> dict[str, object]:
    """The CNI network: the bridge plugin, with addresses from host-local."""
    ipam = {
        "type": "host-local",
        "ranges": [[{"subnet": POD_CIDR, "rangeStart": FIRST_POD_IP}]],
        "dataDir": str(NODE_STATE / "ipam"),
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {"type": "bridge", "bridge": BRIDGE, "isGateway": True, "hairpinMode": True}
    return {
        "cniVersion": "0.4.0",
        "name": CNI_NETWORK,
        "plugins": [{**bridge, "ipMasq": False, "ipam": ipam}],
    }


def remove() -> None:
    """Remove rules, interfaces and CNI's records of them."""
    iptables.remove_rules()
    if bridge_exists():
        for name in bridge_ports(run("ip", "-json", "link", "show", "master", BRIDGE)):
            attempt("ip", "link", "delete", name)
        run("ip", "link", "delete", BRIDGE)
    for noted in CNI_RESULTS.glob(f"{CNI_NETWORK}-*-eth0"):
        sandbox = noted.name.removeprefix(f"{CNI_NETWORK}-").removesuffix("-eth0")
        (CNI_RESULTS / f"cni-loopback-{sandbox}-lo").unlink(missing_ok=True)
        noted.unlink(missing_ok=True)


def bridge_exists() -> bool:
    return (Path("/sys/class/net") / BRIDGE).exists()


def bridge_ports(listing: str) -> list[str]:
    """Interface names in `ip -json link show`, which prints nothing or `[{}]` if there are none."""
    return [each["ifname"] for each in json.loads(listing or "[]") if "ifname" in each]
