local partitions = require "submitter.aws.partitions"

describe("the partition of a region", function()
  it("is told by the region's name, also of one that nobody knows yet", function()
    for region, name in pairs {
      ["us-east-1"] = "aws", ["xx-nowhere-9"] = "aws", ["cn-northwest-1"] = "aws-cn", ["us-gov-east-1"] = "aws-us-gov",
      ["us-iso-west-1"] = "aws-iso", ["us-isob-west-1"] = "aws-iso-b", ["eu-isoe-west-1"] = "aws-iso-e",
      ["us-isof-east-1"] = "aws-iso-f", ["eusc-de-east-1"] = "aws-eusc", ["eu-west-1"] = "aws",
    } do
      assert.are.equal(name, partitions.of(region).name)
    end
  end)
end)
