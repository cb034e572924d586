# 1.11 is the first with arguments that are written and never stored: no secret of ours stands in the state but the first
# token of Redis, which `terraform/rotate redis` replaces (redis.tf).
terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
    random = {
      source  = "hashicorp/random"
      version = "~> 3.7"
    }
  }

  # The bucket is made by bootstrap/ and named at `terraform init -backend-config=bucket=…`: names of buckets are the world's.
  backend "s3" {
    key          = "production/terraform.tfstate"
    region       = "us-east-1"
    encrypt      = true
    use_lockfile = true
  }
}

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = {
      Project     = "agentauri"
      Environment = var.environment
      ManagedBy   = "terraform"
    }
  }
}
