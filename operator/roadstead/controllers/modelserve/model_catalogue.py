"""Creates the Model of a ModelServe whose model is known to the Quant service alone."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable

from roadstead.api.modelserve import ModelServe
from roadstead.api.raw import Raw
from roadstead.errors import KubeConflict, KubeRejected, ModelUnknown, SourceError
from roadstead.kube.kube_client import KubeClient
from roadstead.kube.resources import MODELS
from roadstead.manifests.catalogue_manifests import model_for
from roadstead.policy.chain import Violation
from roadstead.source.quant_client import QuantClient

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelCatalogue:
    """Creates Models; `quant` is None if no Quant service is configured.

    `on_created` is called with each Model that was created, before the watch reports it.
    """

    client: KubeClient
    on_created: Callable[[Raw], None]
    quant: QuantClient | None

    async def create_model(self, serve: ModelServe) -> Violation:
        """Create the Model if the Quant service knows it; returns why it is not available yet."""
        name = serve.model_name
        absent = f"there is no Model {name!r} (see `kubectl get models`)"
        if self.quant is None:
            return _missing("ModelNotFound", f"{absent}, and no Quant service is configured")
        try:
            await self.quant.download_url(name)
        except ModelUnknown:
            return _missing("ModelUnknown", f"{absent}, and the Quant service does not know it")
        except SourceError as error:
            message = f"{absent}, and the request to the Quant service failed: {error}"
            return _missing(error.reason, message)
        try:
            self.on_created(await self.client.create(MODELS, model_for(serve)))
            logger.info("created Model %s, which the Quant service knows", name)
        except KubeConflict:
            logger.debug("Model %s already exists", name)
        except KubeRejected as error:
            return _missing("Rejected", f"{absent}, and it could not be created: {error}")
        return _missing("Queued", f"Model {name} was created and waits for its transfer")


def _missing(reason: str, message: str) -> Violation:
    return Violation(reason=reason, message=message, field="spec.modelName")
