# Values that we make are written by the first apply and are never in the state; values that others gave us (URLs of chains)
# are put by hand. docs/deployment/AWS_DEPLOYMENT.md has both, and how each is rotated.
locals {
  secret_prefix = "agentauri/${var.environment}"

  made_secrets = {
    "rds-password"         = ephemeral.random_password.made["rds-password"].result
    "jwt-secret"           = ephemeral.random_password.made["jwt-secret"].result
    "jwt-secret-previous"  = ephemeral.random_password.made["jwt-secret-previous"].result
    "monitoring-token"     = ephemeral.random_password.made["monitoring-token"].result
    "data-encryption-keys" = "k1:${base64encode(ephemeral.random_password.made["data-encryption-keys"].result)}"
    "redis-url"            = "rediss://:${random_password.redis_first.result}@${aws_elasticache_replication_group.main.primary_endpoint_address}:6379"
  }

  made_secret_names = toset(["rds-password", "jwt-secret", "jwt-secret-previous", "monitoring-token", "data-encryption-keys", "redis-url"])
}

# Letters and digits: 32 of them are 190 bits. A data key is exactly 32 bytes.
ephemeral "random_password" "made" {
  for_each = {
    "rds-password"         = 40
    "jwt-secret"           = 64
    "jwt-secret-previous"  = 64
    "monitoring-token"     = 40
    "data-encryption-keys" = 32
  }
  length  = each.value
  special = false
}

resource "aws_secretsmanager_secret" "made" {
  for_each                = local.made_secret_names
  name                    = "${local.secret_prefix}/${each.key}"
  kms_key_id              = aws_kms_key.main.arn
  recovery_window_in_days = 30
}

resource "aws_secretsmanager_secret_version" "made" {
  for_each                 = local.made_secret_names
  secret_id                = aws_secretsmanager_secret.made[each.key].id
  secret_string_wo         = local.made_secrets[each.key]
  secret_string_wo_version = var.secrets_version
}

# What the database is given is what the secret holds, so that an apply that broke off between the two can be made again.
ephemeral "aws_secretsmanager_secret_version" "database" {
  secret_id = aws_secretsmanager_secret_version.made["rds-password"].secret_id
}

# RPC URLs in order of preference, commas between; they usually hold a provider's key.
resource "aws_secretsmanager_secret" "chain" {
  for_each                = var.chain_ids
  name                    = "${local.secret_prefix}/chain-${each.key}-rpc-url"
  kms_key_id              = aws_kms_key.main.arn
  recovery_window_in_days = 30
}
