---@meta submitter.core.sigv4
--- AWS Signature Version 4: a request in, its signature out. Pure: the time is an argument, and nothing is sent.
---
--- The rules are those of "Create a signed AWS API request" (IAM User Guide) and of "Authenticating Requests (AWS Signature
--- Version 4)" (Amazon S3 API Reference); where these are silent, of AWS's own signers, aws-c-auth and @smithy/signature-v4.
local sigv4 = {}

---@class Credentials An opaque value, and a to-be-closed one: it prints nothing of what it holds, and wipes it when it is
---closed or collected. The strings that it was made from are Lua's: let them go.
local Credentials = {}
--- Wipes them. May be called again.
function Credentials:close() end

--- What to sign with. It remembers the signing keys of the last days, regions and services, so one for all requests signs
--- faster.
---@param options {access_key_id:string, secret_access_key:string, session_token:string|nil} an empty token is none
---@return Credentials
function sigv4.credentials(options) end

---@class SigningRequest
---@field credentials Credentials|nil or else the three of sigv4.credentials, for tests and tools
---@field access_key_id string|nil
---@field secret_access_key string|nil
---@field session_token string|nil
---@field method string
---@field url string http:// or https://, as it goes on the wire: path percent-encoded, no fragment. With encode_path it may
---be raw: spaces, UTF-8 and "#" stand for themselves. The query may always be raw, but for "%", "&" and "=".
---@field headers string[][]|nil { { name, value }, … } in the order in which they are sent; duplicates are signed as one,
---folded values (a line end and a blank) unfolded. Not signed, as proxies change them: Authorization, Cache-Control,
---Connection, Expect, From, Keep-Alive, Max-Forwards, Pragma, Referer, TE, Trailer, Transfer-Encoding, Upgrade, User-Agent,
---X-Amzn-Trace-Id, Proxy-*, Sec-*. Authorization may not be given; X-Amz-Date, X-Amz-Security-Token and x-amz-content-sha256
---need not, and must agree with time, session_token and payload_hash where they are.
---@field body string|nil
---@field payload_hash string|nil SHA-256 in hexadecimal, "UNSIGNED-PAYLOAD" or "STREAMING-…". Default: the header
---x-amz-content-sha256; else "UNSIGNED-PAYLOAD" in URLs signed for S3, and the body's hash
---@field region string
---@field service string the name to sign with: "s3", "sqs", "sts"
---@field time integer seconds since the epoch, within the years 0 to 9999
---@field normalize_path boolean|nil without empty segments, "." and ".." in the path. Default: not for S3
---@field encode_path boolean|nil percent-encode the path once (more). Default: not for S3. So true is for URLs that aren't
---encoded yet, and for services other than S3, which encode twice what was encoded for the wire; false takes the path as it
---is
---@field sign_body_header boolean|nil add x-amz-content-sha256 (never to signed URLs). Default: for S3
---@field omit_session_token boolean|nil send the session token unsigned, as some services want it. Default: false
---@field expires_s integer|nil 1 to 604800: sign the URL, to be used for so long, instead of the headers

--- Signs. S3 above is the services s3, s3express, s3-outposts and s3-object-lambda.
---
--- In the result: headers, all to send: Host if it wasn't given, the given ones (unfolded), and, as they apply,
--- Authorization, X-Amz-Date, X-Amz-Security-Token, x-amz-content-sha256; url, the one to use: as given, or with the
--- signature in its query. canonical_request, string_to_sign, headers and url hold the session token: not for logs.
---@param request SigningRequest
---@return {canonical_request:string, string_to_sign:string, signature:string, headers:string[][], url:string}
function sigv4.sign(request) end

return sigv4
