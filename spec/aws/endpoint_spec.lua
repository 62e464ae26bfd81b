local outside = require "spec.fake.outside"

describe("where a service is", function()
  local world

  before_each(function()
    world = outside.open()
    world.environment.AWS_EC2_METADATA_DISABLED = "true"
  end)

  local function find(service, region, option)
    local endpoint, message = world:session { region = region }:endpoint(service, { endpoint = option })
    return endpoint and endpoint.url, message
  end

  it("follows from the region and its partition", function()
    for region, suffix in pairs {
      ["eu-central-1"] = "amazonaws.com", ["us-gov-west-1"] = "amazonaws.com", ["cn-north-1"] = "amazonaws.com.cn",
      ["us-iso-east-1"] = "c2s.ic.gov", ["us-isob-east-1"] = "sc2s.sgov.gov", ["eu-isoe-west-1"] = "cloud.adc-e.uk",
      ["us-isof-south-1"] = "csp.hci.ic.gov", ["eusc-de-east-1"] = "amazonaws.eu", ["mx-central-1"] = "amazonaws.com",
    } do
      for _, service in ipairs { "s3", "sqs", "sts" } do
        assert.are.equal(("https://%s.%s.%s"):format(service, region, suffix), (find(service, region)))
      end
    end
  end)

  it("is another for FIPS and for both versions of IP", function()
    world.environment.AWS_USE_FIPS_ENDPOINT = "true"
    assert.are.equal("https://s3-fips.us-east-1.amazonaws.com", (find("s3", "us-east-1")))
    assert.are.equal("https://sqs-fips.us-east-1.amazonaws.com", (find("sqs", "us-east-1")))
    assert.are.equal("https://s3-fips.us-gov-west-1.amazonaws.com", (find("s3", "us-gov-west-1")))
    assert.are.equal("https://sqs.us-gov-west-1.amazonaws.com", (find("sqs", "us-gov-west-1")))
    assert.are.equal("https://sts.us-gov-west-1.amazonaws.com", (find("sts", "us-gov-west-1")))
    local url, message = find("s3", "cn-north-1")
    assert.is_nil(url)
    assert.matches("AWS_USE_FIPS_ENDPOINT is on, but the region cn%-north%-1 has no such", message)
    world.environment.AWS_USE_DUALSTACK_ENDPOINT = "TRUE"
    assert.are.equal("https://s3-fips.dualstack.us-east-1.amazonaws.com", (find("s3", "us-east-1")))
    assert.are.equal("https://sqs-fips.us-east-1.api.aws", (find("sqs", "us-east-1")))
    assert.are.equal("https://sqs-fips.us-gov-west-1.api.aws", (find("sqs", "us-gov-west-1")))
    world.environment.AWS_USE_FIPS_ENDPOINT = "false"
    assert.are.equal("https://s3.dualstack.us-east-1.amazonaws.com", (find("s3", "us-east-1")))
    assert.are.equal("https://s3.dualstack.cn-north-1.amazonaws.com.cn", (find("s3", "cn-north-1")))
    assert.are.equal("https://sqs.cn-north-1.api.amazonwebservices.com.cn", (find("sqs", "cn-north-1")))
    assert.are.equal("https://sts.us-east-1.api.aws", (find("sts", "us-east-1")))
  end)

  it("may be so by the profile, too, and the environment wins", function()
    world.files["/home/grace/.aws/config"] = "[default]\nuse_fips_endpoint = true\nuse_dualstack_endpoint = true"
    assert.are.equal("https://sqs-fips.us-east-1.api.aws", (find("sqs", "us-east-1")))
    world.environment.AWS_USE_FIPS_ENDPOINT = "false"
    assert.are.equal("https://sqs.us-east-1.api.aws", (find("sqs", "us-east-1")))
    world.environment.AWS_USE_FIPS_ENDPOINT = "yes"
    assert.matches('^AWS_USE_FIPS_ENDPOINT: expected true or false, found "yes"', select(2, find("sqs", "us-east-1")))
  end)

  it("is what somebody chose, in this order", function()
    world.files["/home/grace/.aws/config"] = "[default]\nendpoint_url = http://five.example"
    assert.are.equal("http://five.example", (find("s3", "eu-west-1")))
    world.files["/home/grace/.aws/config"] = "[default]\nendpoint_url = http://five.example\nservices = here\n"
      .. "[services here]\ns3 =\n  endpoint_url = http://four.example\n"
    assert.are.equal("http://four.example", (find("s3", "eu-west-1")))
    assert.are.equal("http://five.example", (find("sqs", "eu-west-1")))
    world.environment.AWS_ENDPOINT_URL = "http://three.example:9000/path/"
    assert.are.equal("http://three.example:9000/path", (find("s3", "eu-west-1")))
    world.environment.AWS_ENDPOINT_URL_S3 = "http://two.example"
    assert.are.equal("http://two.example", (find("s3", "eu-west-1")))
    assert.are.equal("http://three.example:9000/path", (find("sqs", "eu-west-1")))
    assert.are.equal("http://one.example", (find("s3", "eu-west-1", "http://one.example")))
  end)

  it("is the service's own where chosen ones are to be ignored, but for the operator's", function()
    world.environment.AWS_ENDPOINT_URL = "http://three.example"
    world.environment.AWS_IGNORE_CONFIGURED_ENDPOINT_URLS = "true"
    assert.are.equal("https://s3.eu-west-1.amazonaws.com", (find("s3", "eu-west-1")))
    assert.are.equal("http://one.example", (find("s3", "eu-west-1", "http://one.example")))
    world.environment.AWS_IGNORE_CONFIGURED_ENDPOINT_URLS = nil
    world.environment.AWS_ENDPOINT_URL = nil
    world.files["/home/grace/.aws/config"] =
      "[default]\nendpoint_url = http://five.example\nignore_configured_endpoint_urls = true"
    assert.are.equal("https://s3.eu-west-1.amazonaws.com", (find("s3", "eu-west-1")))
  end)

  it("says whether somebody chose it", function()
    assert.is_false(world:session({ region = "eu-west-1" }):endpoint("s3").custom)
    local endpoint = world:session():endpoint("s3", { endpoint = "http://127.0.0.1:9000" })
    assert.is_true(endpoint.custom)
  end)

  it("that somebody chose needs no region, otherwise one", function()
    assert.are.equal("http://127.0.0.1:9000", (find("s3", nil, "http://127.0.0.1:9000")))
    local url, message = find "s3"
    assert.is_nil(url)
    assert.matches("^no region is set", message)
    assert.are.equal("https://s3.us-west-2.amazonaws.com", world:session():endpoint("s3", { region = "us-west-2" }).url)
  end)

  it("isn't made of what can't be a region", function()
    local endpoint, message, code = world:session():endpoint("s3", { region = "evil.example/" })
    assert.is_nil(endpoint)
    assert.are.equal("configuration", code)
    assert.matches('"evil.example/" is no region', message)
  end)

  it("is refused where it can't be one", function()
    for text, expected in pairs {
      ["localhost:9000"] = "begin with http", ["ftp://a"] = "begin with http", ["https://a?b=c"] = "query",
      ["https://grace:secret@a"] = "password",
    } do
      world.environment.AWS_ENDPOINT_URL_SQS = text
      local url, message = find("sqs", "eu-west-1")
      assert.is_nil(url)
      assert.matches("^AWS_ENDPOINT_URL_SQS: ", message)
      assert.matches(expected, message, 1, true)
      assert.is_nil(message:find "secret")
    end
  end)

  it("can't be both chosen and one of FIPS or both versions of IP", function()
    world.environment.AWS_ENDPOINT_URL = "http://127.0.0.1:9000"
    world.environment.AWS_USE_DUALSTACK_ENDPOINT = "true"
    assert.matches("^AWS_ENDPOINT_URL chooses an endpoint, which can't be combined with AWS_USE_DUALSTACK_ENDPOINT",
      select(2, find("s3", "eu-west-1")))
  end)

  it("tells of a services section that isn't there", function()
    world.files["/home/grace/.aws/config"] = "[default]\nservices = here"
    local message = select(2, find("s3", "eu-west-1"))
    assert.matches("names the services section \"here\", which isn't in the config file", message)
  end)

  it("is the one STS of all, where legacy is asked for and the region is that old", function()
    world.environment.AWS_STS_REGIONAL_ENDPOINTS = "legacy"
    local session = world:session()
    assert.are.same({ url = "https://sts.amazonaws.com", custom = false, region = "us-east-1",
      source = "AWS_STS_REGIONAL_ENDPOINTS" }, session:endpoint("sts", { region = "eu-west-1" }))
    assert.are.equal("https://sts.me-south-1.amazonaws.com", session:endpoint("sts", { region = "me-south-1" }).url)
    assert.are.equal("https://sqs.eu-west-1.amazonaws.com", session:endpoint("sqs", { region = "eu-west-1" }).url)
    world.environment.AWS_STS_REGIONAL_ENDPOINTS = "global"
    assert.matches("expected regional or legacy", select(2, find("sts", "eu-west-1")))
  end)

  it("isn't looked up for services that aren't used here, and takes no other options", function()
    assert.has_error(function() world:session():endpoint "ec2" end,
      'no service "ec2"; expected session:endpoint("s3"|"sqs"|"sts")')
    assert.error_matches(function() world:session():endpoint("s3", { regoin = "x" }) end, "unknown option \"regoin\"")
  end)
end)
