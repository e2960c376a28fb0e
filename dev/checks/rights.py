"""Rights that ServiceAccounts have by RBAC, and rights that an audit log shows in use (pure).

Roles and bindings are objects of rbac.authorization.k8s.io/v1, events those of audit.k8s.io/v1, all
as parsed JSON. Rights of groups, such as discovery of the API, are ignored. The rules of an
aggregated ClusterRole are those that its controller has filled in.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

Raw = Mapping[str, Any]
ANY = "*"
ACCOUNT = "system:serviceaccount:"
DECISION = "authorization.k8s.io/decision"


@dataclass(frozen=True, order=True, kw_only=True)
class Right:
    """The right to do something, or its use."""

    account: str
    """`namespace/name` of the ServiceAccount."""
    verb: str
    group: str = ""
    resource: str = ""
    """With its subresource, as `pods/log`; or a path such as `/metrics`."""
    namespace: str = ""
    """Empty: all namespaces, or a cluster-scoped resource."""
    name: str = ""
    """Empty: any name."""

    def __str__(self) -> str:
        what = f"{self.verb} {self.resource}{f'.{self.group}' if self.group else ''}"
        named = f" {self.name}" if self.name else ""
        return f"{self.account}: {what}{named} in {self.namespace or 'every namespace'}"

    @property
    def is_wild(self) -> bool:
        """Whether it has a wildcard, so that no use can be as wide."""
        return ANY in (self.verb, self.group) or ANY in self.resource

    def covers(self, use: "Right") -> bool:
        """Whether this right allows that use."""
        return (
            self.account == use.account
            and self.verb in (ANY, use.verb)
            and self.group in (ANY, use.group)
            and _covers_resource(self.resource, use.resource)
            and self.namespace in ("", use.namespace)
            and self.name in ("", use.name)
        )


def _covers_resource(granted: str, used: str) -> bool:
    """As RBAC matches: `*` is every resource, `*/scale` the scale of each, `/logs/*` all below."""
    if used.startswith("/") or granted.startswith("/"):
        below = granted.endswith(f"/{ANY}") and used.startswith(granted.removesuffix(ANY))
        return granted == used or below
    if granted.startswith(f"{ANY}/"):
        return used.partition("/")[2] == granted.removeprefix(f"{ANY}/")
    return granted in (ANY, used)


def granted(roles: Iterable[Raw], bindings: Iterable[Raw]) -> set[Right]:
    """The rights that bindings grant to ServiceAccounts; without its role, one grants none."""
    known = {(role["kind"], _namespace(role), role["metadata"]["name"]): role for role in roles}
    return {right for binding in bindings for right in _rights_of_binding(binding, known)}


def _rights_of_binding(binding: Raw, roles: Mapping[tuple[str, str, str], Raw]) -> Iterator[Right]:
    namespace, bound = _namespace(binding), binding["roleRef"]
    scope = namespace if bound["kind"] == "Role" else ""
    role = roles.get((bound["kind"], scope, bound["name"]), {})
    accounts = [
        f"{each['namespace']}/{each['name']}"
        for each in binding.get("subjects") or ()
        if each["kind"] == "ServiceAccount"
    ]
    for account, rule in product(accounts, role.get("rules") or ()):
        yield from _expand_rule(rule, account, namespace)


def _expand_rule(rule: Raw, account: str, namespace: str) -> Iterator[Right]:
    """One right for each combination; a path is never namespaced, so only without a namespace."""
    combined = product(
        rule["verbs"], rule.get("apiGroups") or (), rule.get("resources") or (), _names(rule)
    )
    for verb, group, resource, name in combined:
        yield Right(
            account=account,
            verb=verb,
            group=group,
            resource=resource,
            namespace=namespace,
            name=name,
        )
    for verb, path in product(rule["verbs"], rule.get("nonResourceURLs") or ()):
        if not namespace:
            yield Right(account=account, verb=verb, resource=f"/{path.removeprefix('/')}")


def _names(rule: Raw) -> Iterable[str]:
    return rule.get("resourceNames") or ("",)


def _namespace(found: Raw) -> str:
    return str(found["metadata"].get("namespace", ""))


def used(events: Iterable[Raw]) -> set[Right]:
    """The rights behind requests of ServiceAccounts that were allowed, whatever their result."""
    return _rights_by_decision(events, "allow")


def refused(events: Iterable[Raw]) -> set[Right]:
    """The rights that RBAC refused to requests; denials of admission are not included."""
    return _rights_by_decision(events, "forbid")


def _rights_by_decision(events: Iterable[Raw], decision: str) -> set[Right]:
    return {
        _right_of_event(event)
        for event in events
        if event["user"]["username"].startswith(ACCOUNT)
        and event.get("annotations", {}).get(DECISION) == decision
    }


def _right_of_event(event: Raw) -> Right:
    account = event["user"]["username"].removeprefix(ACCOUNT).replace(":", "/")
    target = event.get("objectRef")
    if target is None:
        path = event["requestURI"].partition("?")[0]
        return Right(account=account, verb=event["verb"], resource=path)
    sub = f"/{target['subresource']}" if target.get("subresource") else ""
    return Right(
        account=account,
        verb=event["verb"],
        group=target.get("apiGroup", ""),
        resource=f"{target['resource']}{sub}",
        namespace=target.get("namespace", ""),
        name=target.get("name", ""),
    )


def unused(granted: Iterable[Right], used: Iterable[Right]) -> set[Right]:
    """Rights that were never used; wildcards always count as unused."""
    uses = list(used)
    return {right for right in granted if right.is_wild or not any(map(right.covers, uses))}
