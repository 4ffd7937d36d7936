// Use openapi-fetch with the types that openapi-typescript generates, against the service whose URL is the argument.

import { deepStrictEqual, ok, strictEqual } from "node:assert";
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

const url = process.argv[2]!;
const client = createClient<paths>({ baseUrl: url });
const layer = { shape: [784, 300], activation: "relu", dtype: "bfloat16", seed: 42, name: "fc1", slice: "0:2" } as const;
const query = { ...layer, shape: [...layer.shape] };

async function read(path: string): Promise<Buffer> {
  return Buffer.from(await (await fetch(url + path)).arrayBuffer());
}

const own = await read("/v1/weights?shape=784,300&activation=relu&dtype=bfloat16&seed=42&name=fc1&slice=0:2");

const parameters = await client.GET("/v1/parameters", { params: { query: { shape: [784, 300], activation: "relu" } } });
strictEqual(parameters.data?.scheme, "he");
strictEqual(parameters.data?.fan_in, 784);

const weights = await client.GET("/v1/weights", { params: { query }, parseAs: "arrayBuffer" });
deepStrictEqual(Buffer.from(weights.data!), own);

const posted = await client.POST("/v1/weights", {
  body: { ...query, seed: "42" },
  parseAs: "arrayBuffer",
});
deepStrictEqual(Buffer.from(posted.data!), own);

async function publish(seed: number | string): Promise<string> {
  const tensors: components["schemas"]["TensorSpec"][] = [
    { name: "fc1/weight", shape: [300, 784], activation: "relu" },
    { name: "fc1/bias", shape: [300], constant: 0 },
    { name: "table", shape: [5, 4], parts: [{ shape: [1, 4], constant: 0 }, { shape: [4, 4] }] },
  ];
  const published = await client.POST("/v1/models", {
    body: { seed, defaults: { dtype: "bfloat16", layout: "torch" }, tensors },
  });
  ok(published.data, JSON.stringify(published.error));
  return published.data.id;
}

const id = await publish("18446744073709551615");
const decided = await client.GET("/v1/models/{id}/parameters", { params: { path: { id } } });
deepStrictEqual(new Set(decided.data!.tensors.map((tensor) => tensor.dtype)), new Set(["bfloat16"]));
const canonical = await client.GET("/v1/models/{id}", { params: { path: { id } } });
strictEqual(canonical.data?.seed, "18446744073709551615");
const tensor = await client.GET("/v1/models/{id}/weights/{tensor}", {
  params: { path: { id, tensor: "fc1/weight" } },
  parseAs: "arrayBuffer",
});
deepStrictEqual(Buffer.from(tensor.data!), await read(`/v1/models/${id}/weights/fc1/weight`));

const path = { team: "generated", name: "mlp", version: "1.0" };
const record = await client.PUT("/v1/names/{team}/{name}/{version}", {
  params: { path },
  body: { model: id, author: "ada" },
});
strictEqual(record.data?.model, id);
const found = await client.GET("/v1/names/{team}/{name}/{version}", { params: { path } });
strictEqual(found.data?.model, id);
strictEqual(found.data?.retired, null);

const taken = await client.PUT("/v1/names/{team}/{name}/{version}", {
  params: { path },
  body: { model: await publish(7), author: "eve" },
});
strictEqual(taken.response.status, 409);
ok(taken.error && "model" in taken.error);
strictEqual(taken.error.model, id);
const unknown = await client.GET("/v1/names/{team}/{name}/{version}", { params: { path: { ...path, version: "2.0" } } });
strictEqual(unknown.error?.status, 404);
const invalid = await client.GET("/v1/parameters", { params: { query: { shape: [784, 300], activation: "relo" } } });
strictEqual(invalid.error?.errors?.[0]?.field, "activation");
strictEqual(invalid.error?.errors?.[0]?.suggestions?.[0], "relu");
