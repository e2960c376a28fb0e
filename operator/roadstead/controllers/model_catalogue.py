"""Making the Model for a ModelServe whose model only the Quant service knows."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from typing import Protocol

from roadstead.api.modelserve import ModelServe
from roadstead.api.raw import Raw
from roadstead.errors import KubeConflict, KubeRejected, ModelUnknown, SourceError
from roadstead.kube.kube_client import Object
from roadstead.kube.resources import MODELS, Resource
from roadstead.manifests.catalogue_manifests import model_for
from roadstead.policy.chain import Violation
from roadstead.source.quant_client import QuantAnswer

logger = logging.getLogger(__name__)


class QuantService(Protocol):
    """The part of the Quant client that is needed here."""

    async def download_url(self, model_id: str) -> QuantAnswer:
        """Where a model can be read; ModelUnknown or another SourceError."""


class ModelCreator(Protocol):
    """The part of the API client that is needed here."""

    async def create(self, resource: Resource, body: Raw) -> Object:
        """Create; KubeConflict if it is there."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelCatalogue:
    """Adds Models to the catalogue; `quant` is None where the operator has no Quant service.

    `made` is called with each Model that was made, so that it need not wait for the watch.
    """

    client: ModelCreator
    made: Callable[[Raw], None]
    quant: QuantService | None

    async def introduce(self, serve: ModelServe) -> Violation:
        """Have the Model made if the Quant service knows it; always says why it isn't there yet."""
        name = serve.model_name
        known = f"`kubectl get models` lists the catalogue, and there is no {name!r} in it"
        if self.quant is None:
            return _missing("ModelNotFound", f"{known}; no Quant service is set to ask for it")
        try:
            await self.quant.download_url(name)
        except ModelUnknown:
            return _missing("ModelUnknown", f"{known}; the Quant service does not know it either")
        except SourceError as error:
            return _missing(error.reason, f"{known}; asking the Quant service failed: {error}")
        try:
            self.made(await self.client.create(MODELS, model_for(serve)))
            logger.info("Model %s was made: the Quant service knows it", name)
        except KubeConflict:
            logger.debug("Model %s was made by another", name)
        except KubeRejected as error:
            return _missing("Rejected", f"{known}; making it failed: {error}")
        return _missing("Queued", f"Model {name} was made and waits for its transfer")


def _missing(reason: str, message: str) -> Violation:
    return Violation(reason=reason, message=message, field="spec.modelName")
