# What the program is told. Every name here stands in docs/configuration.md; tests/terraform asks the program itself.
locals {
  environment = {
    ENVIRONMENT        = "production"
    LOG_LEVEL          = var.log_level
    LOG_FORMAT         = "json"
    DB_HOST            = aws_db_instance.main.address
    DB_PORT            = "5432"
    DB_NAME            = aws_db_instance.main.db_name
    DB_USER            = aws_db_instance.main.username
    DB_SSL_MODE        = "verify-full"
    DB_SSL_ROOT_CERT   = "/app/certs/aws-rds-ca.pem"
    DB_MAX_CONNECTIONS = "10"
    METRICS_ADDR       = "127.0.0.1:9464"
    SERVER_HOST        = "0.0.0.0"
    SERVER_PORT        = "8080"
    TRUSTED_PROXIES    = var.vpc_cidr
    BASE_URL           = "https://${var.api_domain}"
    ALLOWED_ORIGINS    = join(",", var.allowed_origins)
    REGISTRATION       = var.registration
  }

  # Name of the setting = secret that holds it.
  secrets = {
    DB_PASSWORD          = aws_secretsmanager_secret.made["rds-password"].arn
    JWT_SECRET           = aws_secretsmanager_secret.made["jwt-secret"].arn
    JWT_SECRET_PREVIOUS  = aws_secretsmanager_secret.made["jwt-secret-previous"].arn
    DATA_ENCRYPTION_KEYS = aws_secretsmanager_secret.made["data-encryption-keys"].arn
    REDIS_URL            = aws_secretsmanager_secret.made["redis-url"].arn
    MONITORING_TOKEN     = aws_secretsmanager_secret.made["monitoring-token"].arn
  }

  chain_secrets = {
    for id in var.chain_ids : "CHAIN_${id}_RPC_URL" => aws_secretsmanager_secret.chain[id].arn
  }

  container_environment = [
    for name, value in merge(local.environment, var.settings) : { name = name, value = value }
  ]

  container_secrets = [
    for name, arn in merge(local.secrets, local.chain_secrets) : { name = name, valueFrom = arn }
  ]
}
