"""Which extended resources are devices, shares of a device, or neither."""

from __future__ import annotations

import dataclasses
from typing import Final, Self

from roadstead.api.object_names import matches_any
from roadstead.settings import EnvReader

MAX_NAME: Final = 253 + 1 + 63
"""The longest resource name that the API server accepts in a pod; a ModelServe may have longer."""
SHARES: Final = (
    "nvidia.com/gpumem",
    "nvidia.com/gpumem-percentage",
    "nvidia.com/gpucores",
    "nvidia.com/priority",
    "volcano.sh/vgpu-memory",
    "volcano.sh/vgpu-memory-percentage",
    "volcano.sh/vgpu-cores",
    "amd.com/gpumem",
    "amd.com/gpucores",
    "gpu.intel.com/memory*",
    "gpu.intel.com/millicores",
    "hygon.com/dcumem",
    "hygon.com/dcucores",
    "huawei.com/Ascend*-memory",
    "aliyun.com/gpu-mem",
)
OTHERS: Final = (
    "rdma/*",
    "vpc.amazonaws.com/efa",
    "smarter-devices/fuse",
    "devices.kubevirt.io/kvm",
    "devices.kubevirt.io/tun",
    "devices.kubevirt.io/vhost-net",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeviceNames:
    """Names or globs of extended resources; their names have a domain.

    `shares` are memory or cores of a device, `others` are not accelerators: neither counts.
    """

    devices: tuple[str, ...] = ("*",)
    shares: tuple[str, ...] = SHARES
    others: tuple[str, ...] = OTHERS

    @classmethod
    def read(cls, env: EnvReader) -> Self:
        """From ROADSTEAD_DEVICES, ROADSTEAD_DEVICE_SHARES and ROADSTEAD_OTHER_RESOURCES."""
        return cls(
            devices=_names(env, "ROADSTEAD_DEVICES", ("*",)),
            shares=_names(env, "ROADSTEAD_DEVICE_SHARES", SHARES),
            others=_names(env, "ROADSTEAD_OTHER_RESOURCES", OTHERS),
        )

    def is_share(self, name: str) -> bool:
        """Whether it is memory or cores of a device."""
        return len(name) <= MAX_NAME and matches_any(self.shares, name)

    def is_device(self, name: str) -> bool:
        """Whether one unit of it is a device; a name that is too long counts as a device."""
        if len(name) > MAX_NAME:
            return True
        uncounted = self.is_share(name) or matches_any(self.others, name)
        return "/" in name and not uncounted and matches_any(self.devices, name)


def _names(env: EnvReader, name: str, default: tuple[str, ...]) -> tuple[str, ...]:
    """`[]` is an empty list; an unset variable is the default."""
    return env.names(name) if env.text(name, "") else default


DEFAULT_DEVICES: Final = DeviceNames()
