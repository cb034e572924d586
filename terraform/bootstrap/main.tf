# Once per account, before everything else: where the state is kept and where images are pushed. Its own state is small, holds no
# secret, and stays with whoever ran it (or is imported anew).
terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

variable "account_id" {
  description = "The AWS account that this may touch."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be twelve digits."
  }
}

provider "aws" {
  region              = "us-east-1"
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = {
      Project     = "agentauri"
      Environment = "production"
      ManagedBy   = "terraform"
    }
  }
}

output "state_bucket" {
  description = "For terraform init -backend-config=bucket=…"
  value       = aws_s3_bucket.state.id
}

output "registry" {
  description = "Where images are pushed."
  value       = aws_ecr_repository.main.repository_url
}
