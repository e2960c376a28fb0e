{{/* The prefix of every object's name; at most 40 characters, so that suffixes fit a DNS label. */}}
{{- define "roadstead.fullname" -}}
{{- $name := .Values.fullnameOverride -}}
{{- if not $name -}}
{{- $name = ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) (contains .Chart.Name .Release.Name) -}}
{{- end -}}
{{- $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* Takes (dict "root" $ "component" "operator"). */}}
{{- define "roadstead.selector" -}}
app.kubernetes.io/name: roadstead
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "roadstead.labels" -}}
{{ include "roadstead.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: roadstead
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The image of Roadstead's own containers; roadstead.validateImages refuses an unnamed one. */}}
{{- define "roadstead.image" -}}
{{- $image := .Values.images.roadstead | default (printf "roadstead:%s" .Chart.AppVersion) -}}
{{- include "roadstead.mirrored" (dict "root" . "image" $image) -}}
{{- end -}}

{{/* An image, at global.imageRegistry if that is set. Takes root and image. */}}
{{- define "roadstead.mirrored" -}}
{{- $registry := .root.Values.global.imageRegistry -}}
{{- $path := .image -}}
{{- if $registry -}}
{{- $path = printf "%s/%s" $registry (regexReplaceAll "^([^/]*[.:][^/]*|localhost)/" .image "") -}}
{{- end -}}
{{- $path -}}
{{- end -}}

{{/* The name of the embedded store's StatefulSet, Service and NetworkPolicy. */}}
{{- define "roadstead.embeddedStore" -}}
{{- include "roadstead.fullname" . }}-store
{{- end -}}

{{/* The path of its health check, which is no bucket's name. */}}
{{- define "roadstead.storeHealth" -}}
/_health
{{- end -}}

{{- define "roadstead.storeEndpoint" -}}
{{- if .Values.store.embedded.enabled -}}
http://{{ include "roadstead.embeddedStore" . }}.{{ .Release.Namespace }}.svc:9000
{{- else -}}
{{- .Values.store.endpoint -}}
{{- end -}}
{{- end -}}

{{- define "roadstead.storeSecret" -}}
{{- .Values.store.existingSecret | default (printf "%s-store" (include "roadstead.fullname" .)) -}}
{{- end -}}

{{- define "roadstead.quantSecret" -}}
{{- .Values.quant.existingSecret | default (printf "%s-quant" (include "roadstead.fullname" .)) -}}
{{- end -}}

{{/* Generated once: an existing Secret keeps its value. Takes root, secret, key, size. */}}
{{- define "roadstead.generated" -}}
{{- $found := lookup "v1" "Secret" .root.Release.Namespace .secret -}}
{{- $kept := dig "data" .key "" ($found | default dict) -}}
{{- $kept | default (randAlphaNum (int .size) | b64enc) -}}
{{- end -}}

{{- define "roadstead.tlsSecret" -}}
{{- $certificates := .Values.webhooks.certificates -}}
{{- $certificates.existingSecret | default (printf "%s-webhooks-tls" (include "roadstead.fullname" .)) -}}
{{- end -}}

{{/* The `restricted` Pod Security Standard. */}}
{{- define "roadstead.podSecurity" -}}
{{- include "roadstead.podSecurityAs" (dict "root" . "user" 65532) -}}
{{- end -}}

{{/* Whether the cluster assigns the user and groups of pods, as OpenShift does; else empty. */}}
{{- define "roadstead.assignsUsers" -}}
{{- $found := .Capabilities.APIVersions.Has "security.openshift.io/v1" -}}
{{- if or (eq .Values.adaptSecurityContext "force") (and (eq .Values.adaptSecurityContext "auto") $found) }}yes{{ end -}}
{{- end -}}

{{/* ... for an image whose program requires a certain user id; takes (dict "root" $ "user" 999). */}}
{{- define "roadstead.podSecurityAs" -}}
runAsNonRoot: true
{{- if not (include "roadstead.assignsUsers" .root) }}
runAsUser: {{ .user }}
runAsGroup: {{ .user }}
fsGroup: {{ .user }}
{{- end }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "roadstead.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* The resources that count as devices, for the webhooks and the operator. */}}
{{- define "roadstead.deviceEnv" -}}
- name: ROADSTEAD_DEVICES
  value: {{ toJson .Values.devices.names | quote }}
- name: ROADSTEAD_DEVICE_SHARES
  value: {{ toJson .Values.devices.shares | quote }}
- name: ROADSTEAD_OTHER_RESOURCES
  value: {{ toJson .Values.devices.others | quote }}
{{- end -}}
