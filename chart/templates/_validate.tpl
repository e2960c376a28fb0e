{{/* Rules that the schema can't express: constraints between values. */}}
{{- define "roadstead.validate" -}}
{{- include "roadstead.validateImages" . -}}
{{- include "roadstead.validateStorage" . -}}
{{- include "roadstead.validateSecrets" . -}}
{{- include "roadstead.validatePods" . -}}
{{- include "roadstead.validateAdmission" . -}}
{{- include "roadstead.validateGateway" . -}}
{{- include "roadstead.validateConsole" . -}}
{{- include "roadstead.validateLedger" . -}}
{{- include "roadstead.validateMonitoring" . -}}
{{- include "roadstead.validateTrust" . -}}
{{- include "roadstead.validateProxies" . -}}
{{- include "roadstead.validateQuant" . -}}
{{- if and .Values.store.embedded.enabled .Values.store.endpoint -}}
{{- fail "store.endpoint is set, but store.embedded.enabled is true: set store.embedded.enabled=false too, or clear store.endpoint" -}}
{{- end -}}
{{- if and .Values.store.embedded.enabled (eq .Values.store.addressing "virtualHost") -}}
{{- fail "store.addressing is virtualHost: the embedded store has one name for all buckets; set store.addressing=path, or set store.endpoint to an existing store" -}}
{{- end -}}
{{- if and (eq .Values.store.addressing "virtualHost") (regexMatch "^https?://([0-9.]+|\\[.*\\])(:[0-9]+)?/?$" .Values.store.endpoint) -}}
{{- fail (printf "store.addressing is virtualHost: %s is an IP address, which can't be prefixed with a bucket's name; set store.endpoint to the store's host name, or set store.addressing=path" .Values.store.endpoint) -}}
{{- end -}}
{{- if and .Values.store.embedded.enabled .Values.networkPolicy.storePeers -}}
{{- fail "networkPolicy.storePeers is set, but store.embedded.enabled is true: set store.embedded.enabled=false to use an existing store, or clear networkPolicy.storePeers" -}}
{{- end -}}
{{- if not .Values.store.embedded.enabled -}}
{{- if not .Values.store.endpoint -}}
{{- fail "store.embedded.enabled is false: set store.endpoint to the store's http(s)://host[:port]" -}}
{{- end -}}
{{- if not .Values.store.existingSecret -}}
{{- fail "store.embedded.enabled is false: set store.existingSecret to a Secret with the keys accessKey and secretKey" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "roadstead.validateImages" -}}
{{- $image := .Values.images.roadstead -}}
{{- $line := printf "build it from this repository's Dockerfile, push it to a registry that your nodes can pull from, and add --set images.roadstead=YOUR-REGISTRY/roadstead:%s" .Chart.AppVersion -}}
{{- if not (or $image .Values.global.imageRegistry) -}}
{{- fail (printf "images.roadstead is empty, and no public registry has this image: %s" $line) -}}
{{- end -}}
{{- if regexMatch "(?i)^(your-registry|([a-z0-9-]+\\.)*example\\.(com|org|net)(:[0-9]+)?)/" $image -}}
{{- fail (printf "images.roadstead is %s, a placeholder: %s" $image $line) -}}
{{- end -}}
{{- end -}}

{{/* At the first install: a claim without a class would be pending for ever. */}}
{{- define "roadstead.validateStorage" -}}
{{- /* Without a connection to a cluster, as in `helm template`, there is no namespace either. */ -}}
{{- if and .Release.IsInstall (lookup "v1" "Namespace" "" "kube-system") -}}
{{- $classless := list -}}
{{- if and .Values.store.embedded.enabled .Values.store.embedded.persistence.enabled (not .Values.store.embedded.persistence.storageClassName) -}}
{{- $classless = append $classless "store.embedded" -}}
{{- end -}}
{{- if and (include "roadstead.hasPostgres" .) .Values.postgres.persistence.enabled (not .Values.postgres.persistence.storageClassName) -}}
{{- $classless = append $classless "postgres" -}}
{{- end -}}
{{- if $classless -}}
{{- $names := list -}}
{{- range (lookup "storage.k8s.io/v1" "StorageClass" "" "").items -}}
{{- $names = append $names .metadata.name -}}
{{- if eq "true" (dig "annotations" "storageclass.kubernetes.io/is-default-class" "" .metadata) -}}
{{- $classless = list -}}
{{- end -}}
{{- end -}}
{{- if $classless -}}
{{- $named := list -}}
{{- $scratch := list -}}
{{- range $classless -}}
{{- $named = append $named (printf "--set %s.persistence.storageClassName=%s" . (first $names | default "NAME")) -}}
{{- $scratch = append $scratch (printf "--set %s.persistence.enabled=false" .) -}}
{{- end -}}
{{- fail (printf "the cluster has no default StorageClass (its classes: %s), so no volume would be created for %s: add %s, or for a trial that may lose its data %s" (join ", " $names | default "none") (join " and " $classless) (join " " $named) (join " " $scratch)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "roadstead.validateLedger" -}}
{{- if and .Values.ledger.enabled .Values.postgres.embedded (include "roadstead.assignsUsers" .) -}}
{{- fail (printf "adaptSecurityContext is %s, and this cluster assigns the users of pods: the embedded Postgres runs only as its image's account postgres. Set postgres.embedded=false and ledger.existingSecrets (docs/operations/ledger.md) to use an existing Postgres, or set ledger.enabled=false" .Values.adaptSecurityContext) -}}
{{- end -}}
{{- if and .Values.postgres.embedded (ne (int .Values.ledger.port) 5432) -}}
{{- fail (printf "ledger.port is %d, but the embedded Postgres has port 5432: set postgres.embedded=false to use an existing Postgres, or clear ledger.port" (int .Values.ledger.port)) -}}
{{- end -}}
{{- if and .Values.postgres.embedded .Values.networkPolicy.ledgerPeers -}}
{{- fail "networkPolicy.ledgerPeers is set, but postgres.embedded is true: set postgres.embedded=false to use an existing Postgres, or clear networkPolicy.ledgerPeers" -}}
{{- end -}}
{{- if and .Values.ledger.enabled (not .Values.postgres.embedded) -}}
{{- range $role := list "owner" "writer" "reader" -}}
{{- if not (get $.Values.ledger.existingSecrets $role) -}}
{{- fail (printf "postgres.embedded is false: set ledger.existingSecrets.%s to a Secret with the key dsn, postgresql://roadstead_%s:PASSWORD@HOST:5432/roadstead?sslmode=verify-full (docs/operations/ledger.md has the SQL to create the role), or set ledger.enabled=false" $role $role) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "roadstead.validateAdmission" -}}
{{- $certificates := .Values.webhooks.certificates -}}
{{- if and (include "roadstead.verifiesTokens" .) (not .Values.tokens.local.enabled) (not .Values.tokens.issuers) -}}
{{- fail "tokens have no issuer: set tokens.local.enabled=true, or set tokens.issuers" -}}
{{- end -}}
{{- if and (eq $certificates.mode "cert-manager") (not $certificates.issuerRef.name) -}}
{{- fail "webhooks.certificates.mode is cert-manager: set webhooks.certificates.issuerRef.name" -}}
{{- end -}}
{{- if and (eq $certificates.mode "given") (not (and $certificates.existingSecret $certificates.caBundle)) -}}
{{- fail "webhooks.certificates.mode is given: set webhooks.certificates.existingSecret and webhooks.certificates.caBundle" -}}
{{- end -}}
{{- if and (ne $certificates.mode "cert-manager") $certificates.issuerRef.name -}}
{{- fail (printf "webhooks.certificates.issuerRef.name is set, but webhooks.certificates.mode is %s: set it to cert-manager, or clear issuerRef.name" $certificates.mode) -}}
{{- end -}}
{{- if and (ne $certificates.mode "given") $certificates.caBundle -}}
{{- fail (printf "webhooks.certificates.caBundle is set, but webhooks.certificates.mode is %s: set it to given, or clear caBundle" $certificates.mode) -}}
{{- end -}}
{{- if and (eq $certificates.mode "self") $certificates.existingSecret -}}
{{- fail "webhooks.certificates.existingSecret is set, but webhooks.certificates.mode is self: set it to given, or clear existingSecret" -}}
{{- end -}}
{{- with .Values.webhooks.apiServer -}}
{{- if and .clientCABundle (not .clientNames) -}}
{{- fail "webhooks.apiServer.clientCABundle is set: set webhooks.apiServer.clientNames to the common names of the API server's client certificates, since the same authority may sign certificates of other clients" -}}
{{- end -}}
{{- if and .clientNames (not .clientCABundle) -}}
{{- fail "webhooks.apiServer.clientNames is set: set webhooks.apiServer.clientCABundle to the PEM certificates of their authority, or clear webhooks.apiServer.clientNames" -}}
{{- end -}}
{{- end -}}
{{- range $number, $issuer := .Values.tokens.issuers -}}
{{- $keys := list $issuer.publicKey $issuer.jwksUrl $issuer.existingSecret $issuer.keysFromCluster | compact -}}
{{- if ne (len $keys) 1 -}}
{{- fail (printf "tokens.issuers[%d]: set exactly one of publicKey, jwksUrl, existingSecret and keysFromCluster: true" $number) -}}
{{- end -}}
{{- if and $issuer.jwksUrl (hasPrefix "http:" $issuer.jwksUrl) (not $issuer.allowHttp) -}}
{{- fail (printf "tokens.issuers[%d].jwksUrl is %s, and everyone who can change the response could sign tokens: use https, or set allowHttp: true" $number $issuer.jwksUrl) -}}
{{- end -}}
{{- end -}}
{{- include "roadstead.validateIssuerNames" (include "roadstead.issuers" . | fromYamlArray) -}}
{{- include "roadstead.validatePrefixes" (include "roadstead.issuers" . | fromYamlArray) -}}
{{- end -}}

{{- define "roadstead.validateIssuerNames" -}}
{{- $seen := list -}}
{{- range . -}}
{{- if has .issuer $seen -}}
{{- fail (printf "two issuers of tokens are named %s (tokens.local is one): give each the name in its tokens' claim iss; merge them, with audiences, if it is the same issuer, or set tokens.local.enabled=false" .issuer) -}}
{{- end -}}
{{- $seen = append $seen .issuer -}}
{{- end -}}
{{- end -}}

{{/* With several issuers, each needs its own prefixes, as the verifiers of tokens require. */}}
{{- define "roadstead.validatePrefixes" -}}
{{- if gt (len .) 1 -}}
{{- range $field := list "subjectPrefix" "groupsPrefix" "scopesPrefix" -}}
{{- $seen := dict -}}
{{- range $issuer := $ -}}
{{- if not (or (hasKey $issuer $field) (eq $field "scopesPrefix")) -}}
{{- fail (printf "issuer %s has no %s: with more than one issuer (tokens.local is one) each needs prefixes, so that their names differ. Set subjectPrefix and groupsPrefix in tokens.issuers to a text such as \"partner:\", or set tokens.local.enabled=false" $issuer.issuer $field) -}}
{{- end -}}
{{- $prefix := ternary (get $issuer $field) (get $issuer "groupsPrefix") (hasKey $issuer $field) -}}
{{- if hasKey $seen $prefix -}}
{{- fail (printf "issuers %s and %s have the same %s %q, so their names can't be distinguished: set a different one for each, such as \"partner:\"" (get $seen $prefix) $issuer.issuer $field $prefix) -}}
{{- end -}}
{{- $_ := set $seen $prefix $issuer.issuer -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "roadstead.validateGateway" -}}
{{- if not (include "roadstead.hasGateway" .) -}}
{{- range $name := list "url" "address" "caBundle" "certResolver" -}}
{{- if get $.Values.gateway $name -}}
{{- fail (printf "gateway.%s is set, but gateway.kind is none: set gateway.kind to traefik or gateway-api, or clear gateway.%s" $name $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with .Values.gateway -}}
{{- if ne .kind "none" -}}
{{- if not (regexMatch "^https://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[1-9][0-9]{0,4})?$" (include "roadstead.gatewayUrl" $)) -}}
{{- fail (printf "gateway.kind is %s: set gateway.url to the public address, https://host[:port] in lower case with no path, such as https://models.example.com (it is %q)" .kind .url) -}}
{{- end -}}
{{- if eq .kind "embedded" -}}
{{- include "roadstead.validateEmbeddedGateway" $ -}}
{{- else if not .namespace -}}
{{- fail (printf "gateway.kind is %s: set gateway.namespace to the namespace of Traefik's pods, which alone may call servers and forward auth" .kind) -}}
{{- end -}}
{{- end -}}
{{- range .cors.origins -}}
{{- if or (not (regexMatch "^[a-z][a-z0-9+.-]*://([a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?|\\[[0-9a-f:.]+\\])(:[1-9][0-9]{0,4})?$" .)) (regexMatch "^(https://.*[^:]:443|http://.*[^:]:80)$" .) -}}
{{- fail (printf "gateway.cors.origins: %q is not an origin as browsers send it: write scheme://host[:port] in lower case, without a path and without the scheme's default port, such as https://app.example.com; * and null are not allowed" .) -}}
{{- end -}}
{{- end -}}
{{- if and (eq .kind "none") .cors.origins -}}
{{- fail "gateway.cors.origins is set, but gateway.kind is none: set gateway.kind, or clear the list" -}}
{{- end -}}
{{- if and (eq .kind "gateway-api") (not .parent.name) -}}
{{- fail "gateway.kind is gateway-api: set gateway.parent.name to the Gateway of the HTTPRoutes, and gateway.parent.namespace if it differs from gateway.namespace" -}}
{{- end -}}
{{- if and (ne .kind "gateway-api") .parent.name -}}
{{- fail (printf "gateway.parent.name is set, but gateway.kind %s uses no Gateway: set gateway.kind=gateway-api, or clear gateway.parent.name" .kind) -}}
{{- end -}}
{{- if and (eq .kind "gateway-api") .certResolver -}}
{{- fail "gateway.certResolver is set, but gateway.kind is gateway-api: the Gateway's listener has the certificate; clear gateway.certResolver" -}}
{{- end -}}
{{- end -}}
{{- end -}}
