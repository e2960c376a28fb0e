{{/* Whether transfers run as Jobs. */}}
{{- define "roadstead.hasTransferJobs" -}}
{{- if eq .Values.transfer.runner "job" }}true{{ end -}}
{{- end -}}

{{/* The settings of a transfer, in the operator's pod or in a Job. */}}
{{- define "roadstead.transferEnv" -}}
- name: ROADSTEAD_STORE_ENDPOINT
  value: {{ include "roadstead.storeEndpoint" . | quote }}
- name: ROADSTEAD_STORE_BUCKET
  value: {{ .Values.store.bucket | quote }}
- name: ROADSTEAD_STORE_REGION
  value: {{ .Values.store.region | quote }}
- name: ROADSTEAD_STORE_ACCESS_KEY_FILE
  value: /etc/roadstead/store/accessKey
- name: ROADSTEAD_STORE_SECRET_KEY_FILE
  value: /etc/roadstead/store/secretKey
- name: ROADSTEAD_STORE_SESSION_TOKEN_FILE
  value: /etc/roadstead/store/sessionToken
- name: ROADSTEAD_STORE_ADDRESSING
  value: {{ .Values.store.addressing }}
- name: ROADSTEAD_QUANT_ENDPOINT
  value: {{ include "roadstead.quantEndpoint" . | quote }}
- name: ROADSTEAD_QUANT_KEY_FILE
  value: /etc/roadstead/quant/key
- name: ROADSTEAD_SOURCE_ALLOW
  value: {{ include "roadstead.sourceAllow" . | fromJsonArray | join "," | quote }}
- name: ROADSTEAD_TRANSFER_CONNECTIONS
  value: {{ .Values.transfer.connections | quote }}
{{- include "roadstead.trustEnv" . | nindent 0 }}
{{- include "roadstead.proxyEnv" (dict "proxy" .Values.source.proxy "use" "SOURCE") | nindent 0 }}
{{- end -}}

{{- define "roadstead.transferMounts" -}}
- name: store
  mountPath: /etc/roadstead/store
  readOnly: true
- name: quant
  mountPath: /etc/roadstead/quant
  readOnly: true
{{- include "roadstead.trustMount" . | nindent 0 }}
{{- include "roadstead.proxyMount" (dict "proxy" .Values.source.proxy "use" "SOURCE") | nindent 0 }}
{{- end -}}

{{- define "roadstead.transferVolumes" -}}
- name: store
  projected:
    sources:
      - secret:
          name: {{ include "roadstead.storeSecret" . }}
          items:
            - key: accessKey
              path: accessKey
            - key: secretKey
              path: secretKey
      # Only temporary keys have one.
      - secret:
          name: {{ include "roadstead.storeSecret" . }}
          optional: true
          items:
            - key: sessionToken
              path: sessionToken
    defaultMode: 0440
- name: quant
  secret:
    secretName: {{ include "roadstead.quantSecret" . }}
    items:
      - key: key
        path: key
    defaultMode: 0440
{{- include "roadstead.trustVolume" . | nindent 0 }}
{{- include "roadstead.proxyVolume" (dict "proxy" .Values.source.proxy "use" "SOURCE") | nindent 0 }}
{{- end -}}

{{/*
The Job of a transfer. The operator adds what differs by Model: name, labels, annotations, owner, and
the volume `job`, the Secret with its input.
*/}}
{{- define "roadstead.transferJob" -}}
{{- $labels := dict "root" . "component" "transfer" -}}
apiVersion: batch/v1
kind: Job
metadata:
  labels: {{- include "roadstead.labels" $labels | nindent 4 }}
spec:
  # Pods that exit without an outcome: killed, drained, lost with their node. The next pod resumes the
  # upload; after the last one the operator creates another Job later.
  backoffLimit: 6
  # The operator deletes a Job once its outcome is in the status; this is for when no operator runs.
  ttlSecondsAfterFinished: 3600
  template:
    metadata:
      labels: {{- include "roadstead.labels" $labels | nindent 8 }}
    spec:
      serviceAccountName: {{ include "roadstead.fullname" . }}-transfer
      automountServiceAccountToken: false
      enableServiceLinks: false
      restartPolicy: Never
      terminationGracePeriodSeconds: 10
      {{- with include "roadstead.scheduling" (dict "root" . "component" "transfer" "values" (omit .Values.transfer.job "tolerations")) }}
      {{- . | trim | nindent 6 }}
      {{- end }}
      tolerations:
        # A pod on a lost node is replaced after half a minute instead of five.
        - key: node.kubernetes.io/unreachable
          operator: Exists
          effect: NoExecute
          tolerationSeconds: 30
        - key: node.kubernetes.io/not-ready
          operator: Exists
          effect: NoExecute
          tolerationSeconds: 30
        {{- with .Values.transfer.job.tolerations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      securityContext: {{- include "roadstead.podSecurity" . | nindent 8 }}
      containers:
        - name: transfer
          image: {{ include "roadstead.image" . | quote }}
          imagePullPolicy: {{ .Values.images.pullPolicy }}
          args: [transfer]
          env:
            {{- include "roadstead.transferEnv" . | nindent 12 }}
            - name: ROADSTEAD_TRANSFER_JOB_FILE
              value: /etc/roadstead/job/job
            - name: ROADSTEAD_LOG_FORMAT
              value: {{ .Values.operator.logs.format }}
            - name: ROADSTEAD_LOG_LEVEL
              value: {{ .Values.operator.logs.level }}
            {{- with .Values.transfer.job.extraEnv }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          resources: {{- toYaml .Values.transfer.job.resources | nindent 12 }}
          securityContext: {{- include "roadstead.containerSecurity" . | nindent 12 }}
          terminationMessagePolicy: FallbackToLogsOnError
          volumeMounts:
            - name: job
              mountPath: /etc/roadstead/job
              readOnly: true
            {{- include "roadstead.transferMounts" . | nindent 12 }}
            - name: tmp
              mountPath: /tmp
            {{- with .Values.transfer.job.extraVolumeMounts }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
      volumes:
        {{- include "roadstead.transferVolumes" . | nindent 8 }}
        - name: tmp
          emptyDir:
            sizeLimit: 64Mi
        {{- with .Values.transfer.job.extraVolumes }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
{{- end -}}
