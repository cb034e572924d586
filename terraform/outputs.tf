output "load_balancer" {
  description = "What the DNS name of the API must be an alias of."
  value       = aws_lb.main.dns_name
}

output "load_balancer_zone" {
  description = "The hosted zone of that alias."
  value       = aws_lb.main.zone_id
}

output "pipeline_role" {
  description = "The role that the pipeline takes."
  value       = aws_iam_role.pipeline.arn
}

output "cluster" {
  description = "The cluster of the services."
  value       = aws_ecs_cluster.main.name
}

output "database" {
  description = "Where PostgreSQL is; reachable from tasks alone."
  value       = aws_db_instance.main.address
}
