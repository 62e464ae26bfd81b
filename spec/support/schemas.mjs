// Whether a Kubernetes document is what the cluster's API takes: the published schemas of Kubernetes and KEDA (npm's
// kubernetes-models and @kubernetes-models/keda), as validators compiled from them.
//
// Those pass over fields that they don't know, as a schema does that doesn't close its objects. The API server doesn't
// (`kubectl apply` asks for strict validation), so here the validator is watched while it reads: a field that it never
// asked for is one that the schema doesn't have.

const modules = {
  "keda.sh/v1alpha1": "@kubernetes-models/keda/keda.sh/v1alpha1",
};

// All that is read of value and below it is noted in seen, by its path.
function watched(value, path, seen) {
  if (value === null || typeof value !== "object") return value;
  return new Proxy(value, {
    get(target, key) {
      if (typeof key === "symbol" || !Object.hasOwn(target, key)) return Reflect.get(target, key);
      const below = `${path}/${key}`;
      seen.add(below);
      return watched(target[key], below, seen);
    },
  });
}

function unread(value, path, seen) {
  if (value === null || typeof value !== "object") return [];
  return Object.keys(value).flatMap((key) => {
    const below = `${path}/${key}`;
    return seen.has(below) ? unread(value[key], below, seen) : [`${below}: no such field`];
  });
}

// What is wrong with a document, a text for each problem.
export async function problems(document) {
  const { apiVersion, kind } = document;
  let Model;
  try {
    ({ [kind]: Model } = await import(`${modules[apiVersion] ?? `kubernetes-models/${apiVersion}`}/${kind}`));
  } catch (failure) {
    if (failure.code !== "ERR_PACKAGE_PATH_NOT_EXPORTED" && failure.code !== "ERR_MODULE_NOT_FOUND") throw failure;
    return [`no schema is published for ${kind} of ${apiVersion}`];
  }
  const seen = new Set();
  const found = [];
  try {
    Model.prototype.validate.call(watched(document, "", seen));
  } catch (failure) {
    if (!failure.errors) throw failure;
    found.push(...failure.errors.map((error) => `${error.instancePath}: ${error.message}`));
  }
  return [...found, ...unread(document, "", seen)];
}
