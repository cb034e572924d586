# Limits that gateways share, and hints. Losing it costs accuracy of a limit, never an alert.
resource "aws_elasticache_subnet_group" "main" {
  name       = local.name
  subnet_ids = [for subnet in aws_subnet.private : subnet.id]
}

resource "aws_elasticache_parameter_group" "main" {
  name   = "${local.name}-redis7"
  family = "redis7"

  parameter {
    name  = "maxmemory-policy"
    value = "volatile-lru"
  }

  parameter {
    name  = "notify-keyspace-events"
    value = "Ex"
  }
}

# ElastiCache has no argument that is written and not stored, so this first token stands in the state. `terraform/rotate redis`,
# a step of the first deployment, replaces it; from then on the state holds a token that opens nothing.
resource "random_password" "redis_first" {
  length  = 64
  special = false
}

resource "aws_elasticache_replication_group" "main" {
  replication_group_id       = local.name
  description                = "AgentAuri ${var.environment}: limits and hints"
  engine                     = "redis"
  engine_version             = "7.1"
  auto_minor_version_upgrade = true
  node_type                  = var.redis_node_type
  num_cache_clusters         = var.redis_nodes
  automatic_failover_enabled = var.redis_nodes > 1
  multi_az_enabled           = var.redis_nodes > 1
  parameter_group_name       = aws_elasticache_parameter_group.main.name
  port                       = 6379

  subnet_group_name          = aws_elasticache_subnet_group.main.name
  security_group_ids         = [aws_security_group.redis.id]
  at_rest_encryption_enabled = true
  kms_key_id                 = aws_kms_key.main.arn
  transit_encryption_enabled = true
  auth_token                 = random_password.redis_first.result

  maintenance_window       = "sun:05:00-sun:06:00"
  snapshot_window          = "04:00-05:00"
  snapshot_retention_limit = 7

  lifecycle {
    ignore_changes = [auth_token]
  }
}
