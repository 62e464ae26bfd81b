--- What an operator writes about mail: the fields of `mail = smtp { … }`, described for submitter.schema.
local fields = {}

-- What submitter.mail.address has no problem with, as far as a pattern can say it.
local address = { match = "^[^%s%c<>\"(),:;\\%[%]@\128-\255]+@[%w.-]+$", length = { 3, 254 } }

--- The kind of part that `mail` may be: `smtp { … }`.
fields.smtp = {
  name = "smtp",
  text = "Sends each student of a submission the report, by the mail server named.",
  fields = {
    { name = "url", type = "string", required = true, environment = "SUBMITTER_MAIL_URL",
      match = "^[sS][mM][tT][pP][sS]?://[^/?#@%s]+/?[%w.-]*$", length = { 8, 1024 },
      expected = "smtps://HOST[:PORT] or smtp://HOST[:PORT]",
      text = "The mail server: smtps:// for TLS from the start (port 465), smtp:// for STARTTLS (port 587: name it). A "
        .. "name behind a / is what the worker calls itself (EHLO)." },
    { name = "user", type = "string", length = { 1, 512 }, match = "^[^%c]+$", expected = "a user's name",
      default_text = "none: no login", text = "Who logs in to the mail server." },
    { name = "password", type = "string", length = { 1, 1024 }, environment = "SUBMITTER_MAIL_PASSWORD",
      text = "The user's password; getenv \"…\" keeps it out of the file." },
    { name = "from", type = "string", required = true, match = address.match, length = address.length,
      expected = "an address, name@host",
      text = "Whose address the mails carry; what can't be delivered goes back there." },
    { name = "name", type = "string", length = { 1, 100 }, match = "^[^%c]+$", expected = "a name",
      default_text = "none: the address alone", text = "The name beside that address." },
    { name = "reply_to", type = "string", match = address.match, length = address.length,
      expected = "an address, name@host", default_text = "from's", text = "Where answers go." },
    { name = "tls", type = "enum", values = { "required", "opportunistic", "none" }, default = "required",
      text = "Of smtp://: never without STARTTLS, with it where the server offers it, or never; with a password it is "
        .. "always required." },
    { name = "ca_file", type = "string", path = true, default_text = "SSL_CERT_FILE, or the system's",
      text = "The certificate authorities that the mail server is verified by, PEM." },
    { name = "modes", type = "list", of = { type = "enum", values = { "test", "grade" } }, length = { 1, 2 },
      default = { "test", "grade" }, text = "Of which gradings mails are sent." },
    { name = "attachment_limit", type = "size_bytes", default = "4M", range = { 0, "20M" },
      text = "The largest table that is attached; 0 attaches none." },
  },
}

--- What no single field can say.
---@param settings table of configuration.mail
---@return true|nil
---@return string|nil message
---@return "environment"|nil code
function fields.check(settings)
  local problem
  if settings.password and not settings.user then
    problem = "password is given without a user; give both, or neither"
  elseif settings.user and not settings.password then
    problem = "user is given without a password; give both, or neither"
  elseif settings.user and settings.tls ~= "required" and not settings.url:lower():find("^smtps://") then
    problem = ("a password never goes out unencrypted: tls must be \"required\", not %q"):format(settings.tls)
  end
  if problem then return nil, "mail = smtp { … }: " .. problem, "environment" end
  return true
end

return fields
