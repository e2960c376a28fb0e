{{/*
CEL: the maps `a` and `b` have the same entries, except those named in `but`. Takes a dict of them.
*/}}
{{- define "roadstead.sameBut" -}}
{{- $but := toJson .but -}}
{{ .a }}.all(k, k in {{ $but }} || k in {{ .b }} && {{ .a }}[k] == {{ .b }}[k])
&& {{ .b }}.all(k, k in {{ $but }} || k in {{ .a }})
{{- end -}}

{{/*
CEL: `holds`, over the variable `o`, is true for `field` of the new object, or was false for the old
one: foreign changes to an object must not stop the operator from scaling it down. Takes a dict.
*/}}
{{- define "roadstead.holdsStill" -}}
{{- $new := printf "dyn(object)%s" .field -}}
{{- $old := printf "dyn(oldObject)%s" .field -}}
[{{ $new }}].all(o, {{ .holds }})
|| oldObject != null && ![{{ $old }}].all(o, {{ .holds }})
{{- end -}}

{{- define "roadstead.policyBinding" -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {{ .name }}
  labels: {{- include "roadstead.labels" .labels | nindent 4 }}
spec:
  policyName: {{ .name }}
  validationActions: [Deny]
{{- end -}}
