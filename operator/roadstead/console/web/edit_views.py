"""Creates, scales and deletes servers with the user's token, as admission allows."""

from __future__ import annotations

import json
import logging
from typing import Any

import yaml
from aiohttp import web

from roadstead.api import memory
from roadstead.api.object_names import UUID, is_namespace
from roadstead.api.quantity import size_text
from roadstead.api.raw import Metadata, Raw, section
from roadstead.api.server_ids import server_id_of
from roadstead.clocks import utc_now
from roadstead.console.auth.console_sessions import Session
from roadstead.console.data import questions
from roadstead.console.data.allowances import allowances, per_server
from roadstead.console.data.coverage import Coverage
from roadstead.console.web.requests import (
    BadRequest,
    Object,
    Refusal,
    build_modelserve,
    refusal,
    scale_patch,
    with_token,
)
from roadstead.console.web.site import SESSION, Site, json_answer
from roadstead.errors import KubeError, KubeNotFound
from roadstead.kube.kube_client import KubeClient
from roadstead.kube.resources import MODELS, MODELSERVES, NAMESPACES
from roadstead.policy.chain import Violation

logger = logging.getLogger(__name__)


class EditViews:
    """`/serve`, and the requests of its form and of a server's page."""

    def __init__(self, site: Site, client: KubeClient) -> None:
        self._site = site
        self._client = client

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get("/serve", self._form),
            web.post("/api/servers", self._create),
            web.post("/api/servers/check", self._check),
            web.patch(f"/api/servers/{{uuid:{UUID}}}", self._scale),
            web.delete(f"/api/servers/{{uuid:{UUID}}}", self._delete),
        ]

    async def _form(self, request: web.Request) -> web.Response:
        coverage, rows = await self._site.coverage(request[SESSION])
        models = await questions.models(self._site.ledger, coverage)
        contracts = [
            {**row, "allowances": allowances(row), "per_server": per_server(row)} for row in rows
        ]
        return self._site.page(
            request,
            "serve.html",
            models=[each for each in models if each["status"] != "Failed"],
            contracts=contracts,
            chosen=request.query.get("model", ""),
            under=request.query.get("contract", ""),
        )

    async def _create(self, request: web.Request) -> web.Response:
        session = request[SESSION]
        try:
            manifest = build_modelserve(await _body(request))
            if refused := await self._namespace_refusal(session, manifest["metadata"]["namespace"]):
                return _error_response(refused)
            made = await self._client.create(MODELSERVES, with_token(manifest, session.token))
        except BadRequest as error:
            return _bad_request(error)
        except KubeError as error:
            return _error_response(refusal(error))
        meta = section(made, "metadata")
        subject = session.claims.subject
        logger.info("%s created %s/%s", subject, meta.get("namespace"), meta.get("name"))
        return json_answer({"server_uuid": server_id_of(Metadata.parse(made))}, status=201)

    async def _check(self, request: web.Request) -> web.Response:
        """Return the decision of a dry run, the YAML and the estimated memory."""
        session = request[SESSION]
        try:
            manifest = build_modelserve(await _body(request))
        except BadRequest as error:
            return _bad_request(error)
        found: dict[str, Any] = {"yaml": _yaml(manifest), "allowed": True, "message": ""}
        coverage, _ = await self._site.coverage(session)
        found["estimate"] = await self._estimate(coverage, manifest["spec"])
        if refused := await self._dry_run_refusal(session, manifest, coverage):
            found |= {"allowed": False, "code": refused.code, "message": refused.message}
        return json_answer(found)

    async def _dry_run_refusal(
        self, session: Session, manifest: Object, coverage: Coverage
    ) -> Refusal | None:
        """Return why the server would not be created; None if it would."""
        try:
            if refused := await self._namespace_refusal(
                session, manifest["metadata"]["namespace"], coverage
            ):
                return refused
            await self._client.create(
                MODELSERVES, with_token(manifest, session.token), dry_run=True
            )
        except KubeError as error:
            return refusal(error)
        return None

    async def _namespace_refusal(
        self, session: Session, namespace: str, coverage: Coverage | None = None
    ) -> Refusal | None:
        """Return why the user may not write in a namespace, regardless of admission; KubeError.

        `coverage` is read if it is not given. The console's account may write everywhere, so this
        check must not depend on the webhooks alone.
        """
        if not self._site.settings.contracts:
            return None
        if coverage is None:
            coverage, _ = await self._site.coverage(session)
        violation = coverage.namespace_violation(namespace, {})
        if violation and coverage.selects_namespaces() and is_namespace(namespace):
            labels = await self._labels(namespace)
            violation = coverage.namespace_violation(namespace, labels)
        return None if violation is None else _forbidden(violation)

    async def _labels(self, namespace: str) -> Raw:
        try:
            return section(await self._client.get(NAMESPACES, namespace), "metadata", "labels")
        except KubeNotFound:
            return {}

    async def _scale(self, request: web.Request) -> web.Response:
        row, coverage = await self._row(request)
        session = request[SESSION]
        try:
            given, uid = await _body(request), await self._uid(row)
            patch = scale_patch(given, uid=uid, token=session.token)
            if refused := await self._namespace_refusal(session, row["namespace"], coverage):
                return _error_response(refused)
            await self._client.patch(MODELSERVES, row["name"], patch, namespace=row["namespace"])
        except BadRequest as error:
            return _bad_request(error)
        except KubeError as error:
            return _error_response(refusal(error))
        logger.info("%s scaled %s/%s", session.claims.subject, row["namespace"], row["name"])
        return json_answer({"server_uuid": row["server_uuid"]})

    async def _delete(self, request: web.Request) -> web.Response:
        """Delete a server if its contract allows it: a DELETE request carries no token."""
        row, coverage = await self._row(request)
        now = utc_now()
        violation = coverage.violation(row["namespace"], row["contract"], now)
        if violation and self._site.settings.contracts:
            return _error_response(_forbidden(violation))
        try:
            uid = await self._uid(row)
            await self._client.delete(MODELSERVES, row["name"], namespace=row["namespace"], uid=uid)
        except KubeError as error:
            return _error_response(refusal(error))
        subject = request[SESSION].claims.subject
        logger.info("%s deleted %s/%s", subject, row["namespace"], row["name"])
        return json_answer({"server_uuid": row["server_uuid"]})

    async def _uid(self, row: questions.Row) -> str:
        """The UID of the server in a row; raises KubeNotFound if another one has its name."""
        raw = await self._client.get(MODELSERVES, row["name"], row["namespace"])
        meta = Metadata.parse(raw)
        if server_id_of(meta) != row["server_uuid"]:
            message = f"server {row['server_uuid']} does not exist any more"
            raise KubeNotFound(message, status=404)
        return meta.uid

    async def _row(self, request: web.Request) -> tuple[questions.Row, Coverage]:
        coverage, _ = await self._site.coverage(request[SESSION])
        found = await questions.server(self._site.ledger, coverage, request.match_info["uuid"])
        if found is None or found["deleted_at"] is not None:
            raise web.HTTPNotFound
        return found, coverage

    async def _estimate(self, coverage: Coverage, spec: Object) -> dict[str, Any] | None:
        """Return the memory of one replica; None if the model does not exist or is not visible."""
        if not coverage.covers_model(spec["modelName"]):
            return None
        try:
            model = await self._client.get(MODELS, spec["modelName"])
        except KubeError:
            return None
        status = section(model, "status")
        if not status.get("sizeBytes"):
            return None
        needed = memory.estimate(status, section(spec, "runtimeParams"))
        parts = {name: size_text(value) for name, value in vars(needed).items()}
        return {"bytes": needed.total, "total": size_text(needed.total), "parts": parts}


async def _body(request: web.Request) -> object:
    if request.content_type != "application/json":
        raise BadRequest("expected a JSON body")
    try:
        return await request.json()
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError):
        raise BadRequest("expected a JSON body") from None


def _yaml(manifest: Object) -> str:
    return yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True)


def _bad_request(error: BadRequest) -> web.Response:
    return _error_response(Refusal(status=400, code="BadRequest", message=f"{error}"))


def _forbidden(violation: Violation) -> Refusal:
    return Refusal(status=403, code=violation.reason, message=violation.message)


def _error_response(found: Refusal) -> web.Response:
    message = found.message[:1].upper() + found.message[1:]
    return json_answer({"error": {"code": found.code, "message": message}}, status=found.status)
