"""Another API key replaces the pods: llama-server reads its key only when it starts."""

from __future__ import annotations

from roadstead.manifests.gateway import Routing
from roadstead.manifests.modelserve_manifests import desired_objects, without_needless_rollout
from roadstead.manifests.names import ANNOTATION_KEY_DIGEST
from roadstead.manifests.rendering import Manifest
from tests.support.builders.resources import make_model, make_platform, make_serve, of_kind

_ROUTING = Routing(
    kind="traefik", url="https://models.example.com", forward_auth="http://auth.example.svc"
)


def deployment(api_key: str = "first", *, image: str = "roadstead:1") -> Manifest:
    serve = make_serve(config={"podAnnotations": {"example.com/owner": "me"}})
    platform = make_platform(operator_image=image, routing=_ROUTING if api_key else None)
    return of_kind(desired_objects(serve, make_model(), platform, api_key=api_key), "Deployment")


def pod_annotations(manifest: Manifest) -> dict[str, str]:
    return dict(manifest["spec"]["template"]["metadata"]["annotations"])


def test_another_key_replaces_the_pods() -> None:
    assert deployment("first")["spec"]["template"] != deployment("second")["spec"]["template"]


def test_same_key_keeps_the_pods() -> None:
    assert deployment("first") == deployment("first")


def test_another_key_is_rolled_out_with_another_fetch_image() -> None:
    observed, desired = deployment("first"), deployment("second", image="roadstead:2")
    assert without_needless_rollout(desired, observed) == desired


def test_deployment_does_not_contain_the_key() -> None:
    assert "open-sesame" not in str(deployment("open-sesame"))


def test_a_server_without_a_key_has_no_digest_of_one() -> None:
    assert ANNOTATION_KEY_DIGEST not in pod_annotations(deployment(""))


def test_digest_is_added_to_the_users_annotations() -> None:
    assert pod_annotations(deployment()).keys() == {"example.com/owner", ANNOTATION_KEY_DIGEST}
