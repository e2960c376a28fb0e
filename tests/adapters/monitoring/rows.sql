-- A model, a contract, a server that runs, one that waits, one that was deleted, and what they did.
INSERT INTO model_records VALUES
  ('00000000-0000-4000-8000-00000000000a', 'gemma', 'http://store:9000', 'models', 'gemma/a.gguf', 'Q4_K_M', 'gguf',
   'gemma3', 268098176, 32768, 253000000, repeat('a', 64), 'Ready', 'Ready', 'is in the store',
   '{"percent": 100, "bytesDone": 253000000, "bytesTotal": 253000000, "bytesPerSecond": 1000000, "remainingSeconds": 0}',
   1, now() - interval '2 days', now(), NULL, 1, 10),
  ('00000000-0000-4000-8000-00000000000b', 'unused', 'http://store:9000', 'models', 'unused/b.gguf', 'Q8_0', 'gguf',
   'llama', 1, 4096, 5000000, repeat('b', 64), 'Ready', 'Ready', 'is in the store', '{}', 0, now(), now(), NULL, 1, 11);
INSERT INTO contract_records VALUES
  ('00000000-0000-4000-8000-0000000000c0', 'demo',
   '{"namespaces": {"names": ["demo"]}, "authorization": {"groups": ["demo-users"]}, "models": ["*"],
     "total": {"servers": 4, "cpu": "4", "memory": "4Gi"}}',
   '{"servers": 1, "replicas": 1, "cpu": "1", "memory": "1Gi"}', 'Ready', 'Ready', '', now() + interval '9 days',
   now(), now(), NULL, 1, 12);
INSERT INTO server_records VALUES
  ('00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-00000000000a', 'gemma', 'demo', 'chat',
   '{"contextSize": 2048}', '{"limits": {"cpu": "1", "memory": "1Gi"}}', 'Ready', 'Ready', '', '[]', 1, 1, 1,
   ARRAY['chat-1'], 'chat', 'alice', 'demo', 'https://models.example.com/00000000-0000-4000-8000-000000000001',
   400, 450, 1073.741824, 80, 12.5, now(), now() - interval '3 hours', now() - interval '170 minutes', now(), NULL, 1, 20, 20),
  ('00000000-0000-4000-8000-000000000002', NULL, 'gemma', 'demo', 'waits', '{}', '{}', 'Pending', 'Transferring', 'at 5%',
   '[]', 1, 0, 0, ARRAY[]::text[], 'waits', 'bob', 'demo', '', NULL, NULL, NULL, NULL, NULL, NULL, now(), NULL, now(),
   NULL, 1, 21, 21),
  ('00000000-0000-4000-8000-000000000003', '00000000-0000-4000-8000-00000000000a', 'gemma', 'other', 'gone', '{}', '{}',
   'Deleted', 'Deleted', '', '[]', 0, 0, 0, ARRAY[]::text[], 'gone', 'alice', 'demo', '', NULL, 300, NULL, NULL, NULL, NULL,
   date_trunc('month', now()) - interval '20 days', NULL, now(), date_trunc('month', now()) - interval '10 days' + interval '30 minutes', 1, 22, 22);
UPDATE status_history SET at = now() - interval '2 hours' WHERE object_uuid = '00000000-0000-4000-8000-000000000001';
INSERT INTO usage_samples VALUES
  ('00000000-0000-4000-8000-000000000001', now() - interval '60 minutes', 200, 200, 50, NULL, 0, 0),
  ('00000000-0000-4000-8000-000000000001', now() - interval '55 minutes', 400, 450, 100, 10, 1, 0),
  -- Half an hour after the one before: nobody measured for twenty minutes of it.
  ('00000000-0000-4000-8000-000000000001', now() - interval '25 minutes', 400, 450, 0, NULL, 0, 0),
  -- Of last month: twenty minutes at 1000 MB, and ten at 3000 MB until it was deleted.
  ('00000000-0000-4000-8000-000000000003', date_trunc('month', now()) - interval '10 days', 1000, 1000, 200, NULL, 0, 0),
  ('00000000-0000-4000-8000-000000000003', date_trunc('month', now()) - interval '10 days' + interval '10 minutes', 1000, 1000, 200, NULL, 0, 0),
  ('00000000-0000-4000-8000-000000000003', date_trunc('month', now()) - interval '10 days' + interval '20 minutes', 3000, 3000, 200, NULL, 0, 0),
  ('00000000-0000-4000-8000-000000000003', date_trunc('month', now()) - interval '10 days' + interval '29 minutes', 3000, 3000, 200, NULL, 0, 0);
INSERT INTO admission_records VALUES
  ('00000000-0000-4000-8000-0000000000d0', now() - interval '5 minutes', false, 'OverTotal', 'more than the contract gives',
   'CREATE', 'ModelServe', 'demo', 'large', 'bob', 'system:serviceaccount:demo:bob', 'demo'),
  ('00000000-0000-4000-8000-0000000000d1', now() - interval '4 minutes', true, '', '', 'CREATE', 'ModelServe', 'demo', 'chat',
   'alice', 'alice@example.com', 'demo');
