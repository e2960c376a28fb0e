{{/* Constraints between the values of pods. */}}
{{- define "roadstead.validatePods" -}}
{{- include "roadstead.validateLabels" . -}}
{{- include "roadstead.validateBudget" (dict "name" "operator" "values" .Values.operator) -}}
{{- if .Values.webhooks.enabled -}}
{{- include "roadstead.validateBudget" (dict "name" "webhooks" "values" .Values.webhooks) -}}
{{- include "roadstead.validateWebhookPorts" .Values.webhooks -}}
{{- end -}}
{{- if include "roadstead.hasGateway" . -}}
{{- include "roadstead.validateBudget" (dict "name" "forwardAuth" "values" .Values.forwardAuth) -}}
{{- end -}}
{{- if include "roadstead.hasConsole" . -}}
{{- include "roadstead.validateBudget" (dict "name" "console" "values" .Values.console) -}}
{{- end -}}
{{- end -}}

{{- define "roadstead.validateLabels" -}}
{{- $prefix := "app.kubernetes.io" -}}
{{- range $name := list "name" "instance" "component" "version" "part-of" "managed-by" -}}
{{- if hasKey $.Values.commonLabels (printf "%s/%s" $prefix $name) -}}
{{- fail (printf "commonLabels has %s/%s, which the chart sets itself: choose another key" $prefix $name) -}}
{{- end -}}
{{- end -}}
{{- if hasKey .Values.commonLabels "helm.sh/chart" -}}
{{- fail "commonLabels has helm.sh/chart, which the chart sets itself: choose another key" -}}
{{- end -}}
{{- end -}}

{{/* With a budget that allows no eviction, a node with such a pod can't be drained. */}}
{{- define "roadstead.validateBudget" -}}
{{- $path := printf "%s.podDisruptionBudget" .name -}}
{{- with .values.podDisruptionBudget -}}
{{- $min := toString .minAvailable -}}
{{- $max := toString .maxUnavailable -}}
{{- $replicas := int $.values.replicas -}}
{{- if and .enabled (ne $min "") (ne $max "") -}}
{{- fail (printf "%s has both minAvailable and maxUnavailable: clear one of them" $path) -}}
{{- end -}}
{{- if and .enabled (or (eq $min "100%") (has $max (list "0" "0%"))) -}}
{{- fail (printf "%s allows no pod to be evicted, so nodes can't be drained: set %s.maxUnavailable=1 and clear %s.minAvailable" $path $path $path) -}}
{{- end -}}
{{- if and .enabled (regexMatch "^[0-9]+$" $min) (ge (int $min) $replicas) -}}
{{- fail (printf "%s.minAvailable is %s and %s.replicas is %d, so no pod can be evicted and nodes can't be drained: set %s.minAvailable to less than %s.replicas, or clear it" $path $min $.name $replicas $path $.name) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "roadstead.validateWebhookPorts" -}}
{{- $ports := list (int .port) (int .metricsPort) (int .probePort) -}}
{{- if ne (len (uniq $ports)) 3 -}}
{{- fail (printf "webhooks.port, webhooks.metricsPort and webhooks.probePort are %v: set a different one for each" $ports) -}}
{{- end -}}
{{- end -}}
