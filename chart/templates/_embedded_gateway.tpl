{{/* Whether the chart starts a Traefik of its own. */}}
{{- define "roadstead.hasEmbeddedGateway" -}}
{{- if eq .Values.gateway.kind "embedded" }}yes{{ end -}}
{{- end -}}

{{/* Whether the chart makes the gateway's certificate. */}}
{{- define "roadstead.hasSelfSignedGateway" -}}
{{- if and (include "roadstead.hasEmbeddedGateway" .) (eq .Values.gateway.embedded.certificate.mode "self") }}yes{{ end -}}
{{- end -}}

{{/* The name of its Deployment and Service. */}}
{{- define "roadstead.embeddedGateway" -}}
{{- include "roadstead.fullname" . }}-gateway
{{- end -}}

{{- define "roadstead.gatewayTlsSecret" -}}
{{- .Values.gateway.embedded.certificate.existingSecret | default (printf "%s-tls" (include "roadstead.embeddedGateway" .)) -}}
{{- end -}}

{{/* The host of gateway.url, without the port. */}}
{{- define "roadstead.gatewayHost" -}}
{{- (urlParse (include "roadstead.gatewayUrl" .)).hostname -}}
{{- end -}}

{{/* The port of gateway.url. */}}
{{- define "roadstead.gatewayPort" -}}
{{- regexFind ":[0-9]+$" (include "roadstead.gatewayUrl" .) | trimPrefix ":" | default "443" -}}
{{- end -}}

{{/* The hosts of the certificate, as a JSON list: of servers, of the console, and in the cluster. */}}
{{- define "roadstead.gatewayHosts" -}}
{{- $hosts := list (include "roadstead.gatewayHost" .) -}}
{{- if include "roadstead.hasConsoleHost" . -}}
{{- $hosts = append $hosts (urlParse .Values.console.url).hostname -}}
{{- end -}}
{{- append $hosts (printf "%s.%s.svc" (include "roadstead.embeddedGateway" .) .Release.Namespace) | uniq | toJson -}}
{{- end -}}

{{/* The namespaces that its Traefik reads, as a JSON list; empty: all. */}}
{{- define "roadstead.gatewayReads" -}}
{{- with .Values.gateway.embedded.namespaces -}}
{{- append . $.Release.Namespace | uniq | sortAlpha | toJson -}}
{{- else -}}
[]
{{- end -}}
{{- end -}}

{{/* Its static configuration; docs/gateway.md explains the settings. */}}
{{- define "roadstead.gatewayArguments" -}}
- --global.checkNewVersion=false
- --global.sendAnonymousUsage=false
- --entryPoints.web.address=:8000
- --entryPoints.web.http.redirections.entryPoint.to=:{{ include "roadstead.gatewayPort" . }}
- --entryPoints.web.http.redirections.entryPoint.scheme=https
- --entryPoints.web.http.redirections.entryPoint.permanent=true
- --entryPoints.websecure.address=:8443
- --entryPoints.websecure.http.tls=true
- --entryPoints.websecure.http.sanitizePath=true
- --entryPoints.websecure.http.maxHeaderBytes=32768
{{- range list "Slash" "BackSlash" "NullCharacter" "Semicolon" "Percent" "QuestionMark" "Hash" }}
- --entryPoints.websecure.http.encodedCharacters.allowEncoded{{ . }}=false
{{- end }}
- --entryPoints.websecure.transport.respondingTimeouts.readTimeout=120s
- --entryPoints.websecure.transport.respondingTimeouts.writeTimeout=0s
- --entryPoints.websecure.transport.respondingTimeouts.idleTimeout=180s
- --entryPoints.websecure.transport.lifeCycle.requestAcceptGraceTimeout=10s
- --entryPoints.websecure.transport.lifeCycle.graceTimeOut=300s
- --serversTransport.forwardingTimeouts.idleConnTimeout=3s
- --serversTransport.forwardingTimeouts.responseHeaderTimeout=0s
- --entryPoints.internal.address=:8082
{{- range list "web" "websecure" "internal" }}
- --entryPoints.{{ . }}.http.aliasHeadersStrategy=reject
{{- end }}
- --ping=true
- --ping.entryPoint=internal
# The operator creates the route to /ping: a pod is ready once it has read the routes.
- --ping.manualRouting=true
- --metrics.prometheus=true
- --metrics.prometheus.entryPoint=internal
- --providers.kubernetesCRD=true
# All that the operator writes has both labels. Of TLSOptions and TLSStores that a Traefik of yours reads,
# a second one named `default` would make both invalid.
- --providers.kubernetesCRD.labelSelector=app.kubernetes.io/managed-by=roadstead,app.kubernetes.io/name
- --providers.kubernetesCRD.allowCrossNamespace=false
- --providers.kubernetesCRD.crossProviderNamespaces={{ .Release.Namespace }}
- --providers.kubernetesCRD.allowExternalNameServices=false
- --providers.kubernetesCRD.allowEmptyServices=true
# The names of two objects of different namespaces are never joined to the same name.
- --providers.kubernetesCRD.safeNaming=true
- --providers.kubernetesCRD.defaultTLSResourcesNamespace={{ .Release.Namespace }}
# Otherwise it reads nodes, which it doesn't need.
- --providers.kubernetesCRD.disableClusterScopeResources=true
{{- with include "roadstead.gatewayReads" . | fromJsonArray }}
- --providers.kubernetesCRD.namespaces={{ join "," . }}
{{- end }}
# The certificate and the TLS options. A directory, so that a renewed certificate is read again.
- --providers.file.directory=/etc/traefik/dynamic
{{- with .Values.gateway.embedded.logs }}
- --log.level={{ ternary "WARN" (upper .level) (eq .level "warning") }}
- --log.format={{ ternary "common" .format (eq .format "console") }}
{{- if .access }}
- --accessLog=true
- --accessLog.format=json
# Headers have tokens.
- --accessLog.fields.headers.defaultMode=drop
{{- end }}
{{- end }}
{{- end -}}

{{/*
Its dynamic configuration. Only the default certificate: Traefik reads the directory twice while Kubernetes
replaces its files, and would log a certificate of `tls.certificates` that it finds twice with its key. So
sniStrict, which ignores the default certificate, is not set.
*/}}
{{- define "roadstead.gatewayTls" -}}
tls:
  stores:
    default:
      defaultCertificate:
        certFile: /etc/traefik/dynamic/tls.crt
        keyFile: /etc/traefik/dynamic/tls.key
  options:
    default:
      minVersion: VersionTLS12
      alpnProtocols: [h2, http/1.1]
{{- end -}}

{{/* Constraints between the values of the embedded gateway. */}}
{{- define "roadstead.validateEmbeddedGateway" -}}
{{- $other := "or set gateway.kind=traefik for a Traefik of your own, or gateway.kind=none for no gateway" -}}
{{- with .Values.gateway -}}
{{- range $name, $service := dict "namespace" "pods are in the release's namespace" "address" "address is that of its Service" "certResolver" "certificate is that of gateway.embedded.certificate" -}}
{{- if get $.Values.gateway $name -}}
{{- fail (printf "gateway.%s is set, but gateway.kind is embedded, whose %s: clear gateway.%s, %s" $name $service $name $other) -}}
{{- end -}}
{{- end -}}
{{- if ne (join "," .entryPoints) "websecure" -}}
{{- fail (printf "gateway.entryPoints is %s, but gateway.kind is embedded, whose entry point is websecure: clear gateway.entryPoints, %s" (join "," .entryPoints) $other) -}}
{{- end -}}
{{- with .embedded.service -}}
{{- if and (ne .type "ClusterIP") (not $.Values.gateway.url) -}}
{{- fail (printf "gateway.embedded.service.type is %s: set gateway.url to the public address, https://host[:port], such as https://models.example.com" .type) -}}
{{- end -}}
{{- if and (eq .type "ClusterIP") (or .nodePorts.web .nodePorts.websecure) -}}
{{- fail "gateway.embedded.service.nodePorts is set, but the type is ClusterIP: set gateway.embedded.service.type=NodePort, or clear nodePorts" -}}
{{- end -}}
{{- if and (ne .type "LoadBalancer") .loadBalancerSourceRanges -}}
{{- fail (printf "gateway.embedded.service.loadBalancerSourceRanges is set, but the type is %s: set gateway.embedded.service.type=LoadBalancer, or clear the list" .type) -}}
{{- end -}}
{{- end -}}
{{- $caBundle := .caBundle -}}
{{- with .embedded.certificate -}}
{{- if and (eq .mode "self") $caBundle -}}
{{- fail "gateway.caBundle is set, but gateway.embedded.certificate.mode is self, for which the chart makes the authority: clear gateway.caBundle, or set the mode to given or cert-manager" -}}
{{- end -}}
{{- if and (ne .mode "self") (not $.Values.gateway.url) -}}
{{- fail (printf "gateway.embedded.certificate.mode is %s: set gateway.url to the public address that the certificate is for, such as https://models.example.com" .mode) -}}
{{- end -}}
{{- if and (eq .mode "given") (not .existingSecret) -}}
{{- fail "gateway.embedded.certificate.mode is given: set gateway.embedded.certificate.existingSecret to a Secret with the keys tls.crt and tls.key" -}}
{{- end -}}
{{- if and (ne .mode "given") .existingSecret -}}
{{- fail (printf "gateway.embedded.certificate.existingSecret is set, but the mode is %s: set gateway.embedded.certificate.mode=given, or clear existingSecret" .mode) -}}
{{- end -}}
{{- if and (eq .mode "cert-manager") (not .issuerRef.name) -}}
{{- fail "gateway.embedded.certificate.mode is cert-manager: set gateway.embedded.certificate.issuerRef.name" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
