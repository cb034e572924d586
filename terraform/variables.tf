variable "account_id" {
  description = "The AWS account that this may touch."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be twelve digits."
  }
}

variable "region" {
  description = "Where everything runs."
  type        = string
  default     = "us-east-1"

  validation {
    condition     = can(regex("^[a-z]{2}-[a-z]+-[0-9]$", var.region))
    error_message = "region must be a region's name, such as us-east-1."
  }
}

variable "environment" {
  description = "The environment; the prefix of every name is agentauri-<environment>."
  type        = string
  default     = "production"

  validation {
    condition     = var.environment == "production"
    error_message = "There is one environment: production."
  }
}

variable "vpc_cidr" {
  description = "Addresses of the network; each zone gets a public and a private /20 of it."
  type        = string
  default     = "10.1.0.0/16"

  validation {
    condition     = can(cidrhost(var.vpc_cidr, 0)) && can(regex("/16$", var.vpc_cidr))
    error_message = "vpc_cidr must be a /16."
  }
}

variable "availability_zones" {
  description = "Two zones: the load balancer and the standby of the database want two."
  type        = list(string)
  default     = ["us-east-1a", "us-east-1b"]

  validation {
    condition     = length(distinct(var.availability_zones)) == 2
    error_message = "Name two different zones."
  }
}

variable "certificate_arn" {
  description = "Certificate of api_domain in Certificate Manager, in this region."
  type        = string

  validation {
    condition     = can(regex("^arn:aws:acm:[a-z0-9-]+:[0-9]{12}:certificate/[0-9a-f-]{36}$", var.certificate_arn))
    error_message = "certificate_arn must be the ARN of a certificate."
  }
}

variable "requests_per_address" {
  description = "Requests of one address in five minutes before the firewall answers 429. 3000 is the guide's 10 a second."
  type        = number
  default     = 3000

  validation {
    condition     = var.requests_per_address >= 100 && var.requests_per_address <= 1000000
    error_message = "requests_per_address must lie between 100 and 1,000,000."
  }
}

variable "log_retention_days" {
  description = "Days that log groups are kept."
  type        = number
  default     = 365

  validation {
    condition     = contains([90, 120, 150, 180, 365, 400, 545, 731], var.log_retention_days)
    error_message = "log_retention_days must be one of 90, 120, 150, 180, 365, 400, 545, 731."
  }
}

variable "alarm_emails" {
  description = "Addresses that alarms are mailed to, by topic; each must confirm once."
  type = object({
    general  = list(string)
    indexer  = list(string)
    database = list(string)
  })

  validation {
    condition     = length(var.alarm_emails.general) > 0 && length(var.alarm_emails.indexer) > 0 && length(var.alarm_emails.database) > 0
    error_message = "Each topic needs somebody who reads it."
  }
}

variable "pipeline_repository" {
  description = "The GitHub repository whose main branch and version tags may deploy."
  type        = string
  default     = "agentauri/api.agentauri.ai"

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$", var.pipeline_repository))
    error_message = "pipeline_repository must be OWNER/NAME, without a wildcard."
  }
}
