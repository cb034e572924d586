variable "image" {
  description = "The image of the first revision, by digest. Later ones are set by terraform/deploy."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}\\.dkr\\.ecr\\.[a-z0-9-]+\\.amazonaws\\.com/agentauri-backend@sha256:[0-9a-f]{64}$", var.image))
    error_message = "image must name agentauri-backend in this account's registry by digest (…@sha256:…); tags move."
  }
}

variable "api_domain" {
  description = "Where browsers and clients reach the API."
  type        = string
  default     = "api.agentauri.ai"

  validation {
    condition     = can(regex("^[a-z0-9.-]+\\.[a-z]{2,}$", var.api_domain))
    error_message = "api_domain must be a host name."
  }
}

variable "allowed_origins" {
  description = "Pages that browsers may call the API from (ALLOWED_ORIGINS)."
  type        = list(string)
  default     = ["https://agentauri.ai", "https://www.agentauri.ai", "https://app.agentauri.ai", "https://docs.agentauri.ai"]

  validation {
    condition     = alltrue([for origin in var.allowed_origins : can(regex("^https://[a-z0-9.-]+(:[0-9]+)?$", origin))])
    error_message = "Each origin must be https://host, without a path and without a wildcard."
  }
}

variable "chain_ids" {
  description = "Chains to follow. Each has a secret agentauri/production/chain-<id>-rpc-url, which must have a value before the roles start."
  type        = set(string)
  default     = ["11155111", "84532", "59141"]

  validation {
    condition     = alltrue([for id in var.chain_ids : can(regex("^[1-9][0-9]*$", id))])
    error_message = "chain_ids must be numbers."
  }
}

variable "registration" {
  description = "Who may register (REGISTRATION)."
  type        = string
  default     = "open"

  validation {
    condition     = contains(["open", "invited", "closed"], var.registration)
    error_message = "registration must be open, invited or closed."
  }
}

variable "log_level" {
  description = "LOG_LEVEL of every role."
  type        = string
  default     = "info"

  validation {
    condition     = contains(["trace", "debug", "info", "warn", "error"], var.log_level)
    error_message = "log_level must be trace, debug, info, warn or error."
  }
}

variable "settings" {
  description = "Further settings of docs/configuration.md, for every role. No secrets: they would stand in the state."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.settings) : can(regex("^[A-Z][A-Z0-9_]*$", name)) && !can(regex("SECRET|PASSWORD|TOKEN|KEYS$|_URL$", name))])
    error_message = "settings takes names of settings that are no secrets; URLs belong into secrets, since they may hold keys."
  }
}

variable "on_demand_tasks" {
  description = "Tasks of each service that are not on Spot. 0 saves money, and lets a shortage of Spot hold up alerts."
  type        = number
  default     = 1

  validation {
    condition     = var.on_demand_tasks >= 0 && var.on_demand_tasks <= 4
    error_message = "on_demand_tasks must lie between 0 and 4."
  }
}
