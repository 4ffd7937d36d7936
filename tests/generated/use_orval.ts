// Use the client for axios that orval generates, against the service whose URL is the argument.

import { deepStrictEqual, ok, strictEqual } from "node:assert";
import axios, { isAxiosError } from "axios";
import type { NameProblem, Problem, TensorSpec } from "./client.js";
import {
  getModel, getModelParameters, getModelTensor, getName, getParameters, getWeights, postModel, postWeights, putName,
} from "./client.js";

const url = process.argv[2]!;
axios.defaults.baseURL = url;
axios.defaults.paramsSerializer = { indexes: null }; // shape=784&shape=300, rather than shape[]=784
const bytes = { responseType: "arraybuffer" } as const; // Node has no Blob in axios
const layer = { shape: [784, 300], activation: "relu", dtype: "bfloat16", name: "fc1", slice: "0:2" } as const;
const spec = { ...layer, shape: [...layer.shape] };

async function read(path: string): Promise<Buffer> {
  return Buffer.from(await (await fetch(url + path)).arrayBuffer());
}

async function refuse<T>(call: Promise<unknown>): Promise<T> {
  try {
    await call;
  } catch (error) {
    ok(isAxiosError<T>(error) && error.response);
    return error.response.data;
  }
  throw new Error("the request succeeded");
}

const own = await read("/v1/weights?shape=784,300&activation=relu&dtype=bfloat16&seed=42&name=fc1&slice=0:2");
const parameters = await getParameters({ shape: [784, 300], activation: "relu" });
strictEqual(parameters.data.scheme, "he");
deepStrictEqual(Buffer.from((await getWeights({ ...spec, seed: 42 }, bytes)).data as unknown as ArrayBuffer), own);
deepStrictEqual(Buffer.from((await postWeights({ ...spec, seed: "42" }, bytes)).data as unknown as ArrayBuffer), own);

async function publish(seed: number | string): Promise<string> {
  const tensors: TensorSpec[] = [
    { name: "fc1/weight", shape: [300, 784], activation: "relu" },
    { name: "fc1/bias", shape: [300], constant: 0 },
    { name: "table", shape: [5, 4], parts: [{ shape: [1, 4], constant: 0 }, { shape: [4, 4] }] },
  ];
  return (await postModel({ seed, defaults: { dtype: "bfloat16", layout: "torch" }, tensors })).data.id;
}

const id = await publish("18446744073709551615");
const decided = await getModelParameters(id);
ok(decided.data); // a range, 206, has no type
deepStrictEqual(new Set(decided.data.tensors.map((tensor) => tensor.dtype)), new Set(["bfloat16"]));
const canonical = await getModel(id);
ok(canonical.data);
strictEqual(canonical.data.seed, "18446744073709551615");
const tensor = await getModelTensor(id, "fc1/weight", undefined, bytes);
deepStrictEqual(
  Buffer.from(tensor.data as unknown as ArrayBuffer),
  await read(`/v1/models/${id}/weights/fc1/weight`),
);

const name = ["generated", "mlp", "1.0"] as const;
strictEqual((await putName(...name, { model: id, author: "ada" })).data.model, id);
strictEqual((await getName(...name)).data.retired, null);
strictEqual((await refuse<NameProblem>(putName(...name, { model: await publish(7), author: "eve" }))).model, id);
strictEqual((await refuse<Problem>(getName("generated", "mlp", "2.0"))).status, 404);
const invalid = await refuse<Problem>(getParameters({ shape: [784, 300], activation: "relo" }));
strictEqual(invalid.errors?.[0]?.suggestions[0], "relu");
