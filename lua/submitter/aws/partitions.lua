--- How the names of regions lead to the names of hosts: the partitions of the SDKs' `partitions.json`, told apart by how
--- their regions are called, so that a region which is opened tomorrow is known today.

local partitions = {}

---@class Partition
---@field name string
---@field suffix string of the hosts that speak IPv4 only
---@field dual_stack_suffix string of those that speak IPv6 as well; S3 has others

local known = {
  { "^cn%-", name = "aws-cn", suffix = "amazonaws.com.cn", dual_stack_suffix = "api.amazonwebservices.com.cn" },
  { "^us%-gov%-", name = "aws-us-gov", suffix = "amazonaws.com", dual_stack_suffix = "api.aws" },
  { "^us%-iso%-", name = "aws-iso", suffix = "c2s.ic.gov", dual_stack_suffix = "api.aws.ic.gov" },
  { "^us%-isob%-", name = "aws-iso-b", suffix = "sc2s.sgov.gov", dual_stack_suffix = "api.aws.scloud" },
  { "^eu%-isoe%-", name = "aws-iso-e", suffix = "cloud.adc-e.uk", dual_stack_suffix = "api.cloud-aws.adc-e.uk" },
  { "^us%-isof%-", name = "aws-iso-f", suffix = "csp.hci.ic.gov", dual_stack_suffix = "api.aws.hci.ic.gov" },
  { "^eusc%-", name = "aws-eusc", suffix = "amazonaws.eu", dual_stack_suffix = "api.amazonwebservices.eu" },
}

local commercial = { name = "aws", suffix = "amazonaws.com", dual_stack_suffix = "api.aws" }

--- The partition that a region lies in; "aws" for those whose names say nothing else.
---@param region string
---@return Partition
function partitions.of(region)
  for _, partition in ipairs(known) do
    if region:find(partition[1]) then return partition end
  end
  return commercial
end

return partitions
