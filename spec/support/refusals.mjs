// How the services say no: S3 in XML with its own codes, SQS in JSON with the query protocol's code in a header, STS in
// the query protocol's XML. One refusal has the S3 code and, where SQS and STS know it by other names, those.
import { randomBytes } from "node:crypto";

// name: { s3: [status, code], other: [status, JSON type, query code], message }
const kinds = {
  missing: {
    s3: [403, "AccessDenied"],
    other: [403, "MissingAuthenticationTokenException", "MissingAuthenticationToken"],
    message: "Request is missing Authentication Token",
  },
  malformed: {
    s3: [400, "AuthorizationHeaderMalformed"],
    other: [400, "IncompleteSignatureException", "IncompleteSignature"],
    message: "The authorization header is malformed",
  },
  scope: {
    s3: [400, "AuthorizationHeaderMalformed"],
    other: [403, "InvalidSignatureException", "SignatureDoesNotMatch"],
    message: "Credential should be scoped to another region, service or date",
  },
  key: {
    s3: [403, "InvalidAccessKeyId"],
    other: [403, "UnrecognizedClientException", "InvalidClientTokenId"],
    message: "The AWS access key Id you provided does not exist in our records.",
  },
  token: {
    s3: [400, "InvalidToken"],
    other: [403, "UnrecognizedClientException", "InvalidClientTokenId"],
    message: "The provided token is malformed or otherwise invalid.",
  },
  expired: {
    s3: [400, "ExpiredToken"],
    other: [403, "ExpiredTokenException", "ExpiredToken"],
    message: "The security token included in the request is expired",
  },
  skewed: {
    s3: [403, "RequestTimeTooSkewed"],
    other: [403, "InvalidSignatureException", "SignatureDoesNotMatch"],
    message: "The difference between the request time and the current time is too large.",
  },
  unsigned: {
    s3: [403, "AccessDenied"],
    other: [403, "InvalidSignatureException", "SignatureDoesNotMatch"],
    message: "There were headers present in the request which were not signed",
  },
  differs: {
    s3: [403, "SignatureDoesNotMatch"],
    other: [403, "InvalidSignatureException", "SignatureDoesNotMatch"],
    message: "The request signature we calculated does not match the signature you provided.",
  },
  hash: {
    s3: [400, "XAmzContentSHA256Mismatch"],
    other: [403, "InvalidSignatureException", "SignatureDoesNotMatch"],
    message: "The provided 'x-amz-content-sha256' header does not match what was computed.",
  },
  hash_missing: {
    s3: [400, "InvalidRequest"],
    message: "Missing required header for this request: x-amz-content-sha256",
  },
  late: {
    s3: [403, "AccessDenied"],
    other: [403, "InvalidSignatureException", "SignatureDoesNotMatch"],
    message: "Request has expired",
  },
  digest: {
    s3: [400, "BadDigest"],
    message: "The Content-MD5 or checksum you specified did not match what we received.",
  },
  digest_form: { s3: [400, "InvalidDigest"], message: "The Content-MD5 you specified was invalid." },
  uri: {
    s3: [400, "InvalidURI"],
    other: [400, "InvalidParameterValueException", "InvalidParameterValue"],
    message: "Couldn't parse the specified URI.",
  },
};

export class Refusal {
  // details: what S3 adds as elements of its own, and where SQS and STS say it, the message.
  constructor(kind, details = {}) {
    this.kind = kind;
    this.details = details;
  }

  answer(service) {
    const { s3, other, message } = kinds[this.kind];
    if (service === "s3") return s3Error(s3[0], s3[1], message, this.details);
    const [status, type, code] = other ?? kinds.uri.other;
    return otherError(service, status, `com.amazon.coral.service#${type}`, code, this.details.message ?? message);
  }
}

const escape = (text) => String(text).replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
const requestId = () => randomBytes(8).toString("hex").toUpperCase();

export function s3Error(status, code, message, details = {}) {
  const id = requestId();
  const elements = Object.entries({ Code: code, Message: message, ...details, RequestId: id, HostId: "peers" });
  return {
    status,
    headers: [
      ["x-amz-request-id", id],
      ["content-type", "application/xml"],
    ],
    body: Buffer.from(
      '<?xml version="1.0" encoding="UTF-8"?>\n<Error>' +
        elements.map(([name, text]) => `<${name}>${escape(text)}</${name}>`).join("") +
        "</Error>",
    ),
  };
}

function otherError(service, status, type, code, message) {
  const id = requestId();
  const fault = status >= 500 ? "Receiver" : "Sender";
  if (service === "sqs") {
    return {
      status,
      headers: [
        ["x-amzn-requestid", id],
        ["content-type", "application/x-amz-json-1.0"],
        ["x-amzn-query-error", `${code};${fault}`],
      ],
      body: Buffer.from(JSON.stringify({ __type: type, message })),
    };
  }
  return {
    status,
    headers: [
      ["x-amzn-requestid", id],
      ["content-type", "text/xml"],
    ],
    body: Buffer.from(
      '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error>' +
        `<Type>${fault}</Type><Code>${code}</Code><Message>${escape(message)}</Message></Error>` +
        `<RequestId>${id}</RequestId></ErrorResponse>`,
    ),
  };
}

// An error that a fault asks for, by status and code.
export function madeUp(service, status, code) {
  const message = "Please try again.";
  if (service === "s3") return s3Error(status, code, message);
  return otherError(service, status, `com.amazonaws.${service}#${code}`, code, message);
}
