{{/*
Puts defaults back where a value is null, or missing because a section of the user's file is: Helm
deletes a value that is null, such as a list whose items are all commented out. Every template that
reads values includes this first.
*/}}
{{- define "roadstead.values" -}}
{{- if not (hasKey . "filledIn") -}}
{{- $defaults := .Files.Get "files/defaults.yaml" | fromYaml -}}
{{- include "roadstead.fillIn" (dict "values" .Values "defaults" $defaults) -}}
{{- /* All templates of a chart share these values, so once is enough. */ -}}
{{- $_ := set . "filledIn" true -}}
{{- end -}}
{{- end -}}

{{/* Takes values and defaults. Resources are one value: null deletes an entry, as Helm does. */}}
{{- define "roadstead.fillIn" -}}
{{- range $name, $default := .defaults -}}
{{- $given := index $.values $name -}}
{{- if kindIs "invalid" $given -}}
{{- $_ := set $.values $name $default -}}
{{- else if and (kindIs "map" $default) (ne $name "resources") -}}
{{- include "roadstead.fillIn" (dict "values" $given "defaults" $default) -}}
{{- end -}}
{{- end -}}
{{- end -}}
