// npm's client with a handler that does nothing; its options come as JSON in BENCH_OPTIONS.
import { BasicAuthInterceptor, Client } from "camunda-external-task-client-js";

const { ENGINE_URL, ENGINE_USERNAME, ENGINE_PASSWORD, BENCH_TOPIC, BENCH_OPTIONS } = process.env;

const client = new Client({
  baseUrl: ENGINE_URL,
  workerId: `node-${process.pid}`,
  interceptors: new BasicAuthInterceptor({ username: ENGINE_USERNAME, password: ENGINE_PASSWORD }),
  ...JSON.parse(BENCH_OPTIONS),
});
client.on("poll:error", (error) => console.error("poll:error", String(error)));
client.on("handler:error", (error) => console.error("handler:error", String(error)));
client.subscribe(BENCH_TOPIC, async ({ task, taskService }) => {
  await taskService.complete(task);
});
console.log("started");
