variable "database_class" {
  description = "Class of the database's instance."
  type        = string
  default     = "db.t3.medium"

  validation {
    condition     = startswith(var.database_class, "db.")
    error_message = "database_class must be a class of RDS, such as db.t3.medium."
  }
}

variable "database_storage" {
  description = "GiB of the database: allocated at first, and the most that it may grow to by itself."
  type = object({
    allocated = number
    maximum   = number
  })
  default = {
    allocated = 20
    maximum   = 100
  }

  validation {
    condition     = var.database_storage.allocated >= 20 && var.database_storage.maximum > var.database_storage.allocated
    error_message = "allocated must be at least 20, and maximum above it."
  }
}

variable "backup_retention_days" {
  description = "Days for which the database can be set back to any second."
  type        = number
  default     = 7

  validation {
    condition     = var.backup_retention_days >= 7 && var.backup_retention_days <= 35
    error_message = "backup_retention_days must lie between 7 and 35."
  }
}

variable "redis_node_type" {
  description = "Type of a node of Redis."
  type        = string
  default     = "cache.t3.micro"

  validation {
    condition     = startswith(var.redis_node_type, "cache.")
    error_message = "redis_node_type must be a type of ElastiCache, such as cache.t3.micro."
  }
}

variable "redis_nodes" {
  description = "Nodes of Redis; with two one takes over for the other. Without Redis limits are counted less exactly, nothing else."
  type        = number
  default     = 1

  validation {
    condition     = contains([1, 2], var.redis_nodes)
    error_message = "redis_nodes must be 1 or 2."
  }
}

variable "secrets_version" {
  description = "Version of the secrets that this makes. Raising it makes ALL of them anew, the data keys too, and so loses what they encrypted: rotate with terraform/rotate instead."
  type        = number
  default     = 1

  validation {
    condition     = var.secrets_version >= 1 && floor(var.secrets_version) == var.secrets_version
    error_message = "secrets_version must be a whole number from 1."
  }
}
