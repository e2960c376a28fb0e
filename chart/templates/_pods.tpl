{{/*
Where pods run and what they pull images with. Takes root, component and values: a section with some of
nodeSelector, tolerations, priorityClassName, affinity and topologySpreadConstraints.
*/}}
{{- define "roadstead.scheduling" -}}
{{- $values := .values -}}
{{- include "roadstead.pullSecrets" .root }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- if hasKey $values "affinity" }}
affinity:
  {{- with $values.affinity }}
  {{- toYaml . | nindent 2 }}
  {{- else }}
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels: {{- include "roadstead.selector" . | nindent 14 }}
  {{- end }}
{{- end }}
{{- if hasKey $values "topologySpreadConstraints" }}
topologySpreadConstraints:
  {{- with $values.topologySpreadConstraints }}
  {{- toYaml . | nindent 2 }}
  {{- else }}
  - maxSkew: 1
    topologyKey: topology.kubernetes.io/zone
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "roadstead.selector" . | nindent 8 }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* The Secrets that the chart's pods pull images with. */}}
{{- define "roadstead.pullSecrets" -}}
{{- with concat .Values.global.imagePullSecrets .Values.images.pullSecrets | uniq }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The items of a list of the values; nothing for an empty one. */}}
{{- define "roadstead.items" -}}
{{- with . }}{{ toYaml . }}{{ end -}}
{{- end -}}

{{/* Takes root, component and values. */}}
{{- define "roadstead.podDisruptionBudget" -}}
{{- $budget := .values.podDisruptionBudget -}}
{{- if $budget.enabled -}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "roadstead.fullname" .root }}-{{ .component }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "roadstead.labels" . | nindent 4 }}
spec:
  {{- if ne (toString $budget.minAvailable) "" }}
  minAvailable: {{ $budget.minAvailable }}
  {{- else if ne (toString $budget.maxUnavailable) "" }}
  maxUnavailable: {{ $budget.maxUnavailable }}
  {{- else }}
  maxUnavailable: 1
  {{- end }}
  selector:
    matchLabels: {{- include "roadstead.selector" . | nindent 6 }}
{{- end -}}
{{- end -}}
