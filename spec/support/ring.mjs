// The credentials that are known here: the operator's own, and temporary ones that Ceph's STS issued, whose life may be
// made shorter than Ceph's least of 15 minutes.
import { request as http_request } from "node:http";
import { signer } from "./judge.mjs";

const element = (xml, name) => xml.match(new RegExp(`<${name}>([^<]*)</${name}>`))?.[1];

export class Ring {
  // sts: Ceph's endpoint. operator: { access_key_id, secret_access_key }.
  constructor({ sts, operator, role_arn }) {
    Object.assign(this, { sts, operator, role_arn, known: new Map([[operator.access_key_id, operator]]) });
  }

  find(access_key_id) {
    return this.known.get(access_key_id);
  }

  // Reads the credentials out of an answer of STS, so that what a client was given there is known here.
  learn(xml, lifetime_ms) {
    const access_key_id = element(xml, "AccessKeyId");
    if (!access_key_id) return undefined;
    const expires_ms = lifetime_ms === undefined ? Date.parse(element(xml, "Expiration")) : Date.now() + lifetime_ms;
    const credentials = {
      access_key_id,
      secret_access_key: element(xml, "SecretAccessKey"),
      session_token: element(xml, "SessionToken"),
      expires_ms,
    };
    this.known.set(access_key_id, credentials);
    return credentials;
  }

  // New temporary credentials from Ceph's STS that are good for so long.
  async issue(lifetime_ms) {
    const body = new URLSearchParams({
      Action: "AssumeRole",
      Version: "2011-06-15",
      RoleArn: this.role_arn,
      RoleSessionName: "worker",
    }).toString();
    const { hostname, port, host } = new URL(this.sts);
    const signed = await signer("sts", "us-east-1", this.operator).sign({
      method: "POST",
      protocol: "http:",
      hostname,
      path: "/",
      query: {},
      body,
      headers: { host, "content-type": "application/x-www-form-urlencoded" },
    });
    const xml = await new Promise((resolve, reject) => {
      http_request({ hostname, port, method: "POST", path: "/", headers: signed.headers }, async (response) => {
        resolve(Buffer.concat(await response.toArray()).toString());
      })
        .once("error", reject)
        .end(body);
    });
    const credentials = this.learn(xml, lifetime_ms);
    if (!credentials) throw new Error(`STS issued nothing: ${xml}`);
    return credentials;
  }

  // All temporary credentials are expired from now on, whatever their holders were told.
  expire() {
    for (const credentials of this.known.values()) {
      if (credentials.session_token !== undefined) credentials.expires_ms = 0;
    }
  }
}
