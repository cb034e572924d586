# What `cmake --install` puts where, and the Debian package made of it by script/package.
# What the package does on a machine is told in deploy/systemd/README.md.
include(GNUInstallDirs)

install(TARGETS agentauri RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(CODE "file(CREATE_LINK agentauri \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/api-gateway\" SYMBOLIC)")

# systemd reads its folders below /usr/lib, and the configuration stands in /etc, whatever the prefix.
set(AGENTAURI_UNITS deploy/systemd)
install(FILES ${AGENTAURI_UNITS}/api-gateway.service ${AGENTAURI_UNITS}/agentauri@.service ${AGENTAURI_UNITS}/agentauri.target
  ${AGENTAURI_UNITS}/agentauri-migrate.service DESTINATION lib/systemd/system)
install(FILES ${AGENTAURI_UNITS}/agentauri-backup.service ${AGENTAURI_UNITS}/agentauri-backup.timer
  ${AGENTAURI_UNITS}/agentauri-verify-backup.service ${AGENTAURI_UNITS}/agentauri-verify-backup.timer
  DESTINATION lib/systemd/system)
install(PROGRAMS deploy/backup/backup-postgresql DESTINATION lib/agentauri)
install(FILES deploy/backup/crontab DESTINATION ${CMAKE_INSTALL_DATADIR}/agentauri)
foreach(ROLE gateway indexer engine worker)
  install(FILES ${AGENTAURI_UNITS}/agentauri@${ROLE}.service.d/role.conf DESTINATION lib/systemd/system/agentauri@${ROLE}.service.d)
endforeach()
install(FILES ${AGENTAURI_UNITS}/sysusers.conf DESTINATION lib/sysusers.d RENAME agentauri.conf)
install(FILES ${AGENTAURI_UNITS}/tmpfiles.conf DESTINATION lib/tmpfiles.d RENAME agentauri.conf)
install(FILES ${AGENTAURI_UNITS}/logrotate.conf DESTINATION /etc/logrotate.d RENAME agentauri)
install(FILES ${AGENTAURI_UNITS}/agentauri.env DESTINATION /etc/agentauri PERMISSIONS OWNER_READ OWNER_WRITE)
install(PROGRAMS ${AGENTAURI_UNITS}/agentauri-admin DESTINATION ${CMAKE_INSTALL_SBINDIR})
install(DIRECTORY database/migrations DESTINATION ${CMAKE_INSTALL_DATADIR}/agentauri)
install(DIRECTORY deploy/nginx deploy/firewall deploy/prometheus deploy/alertmanager deploy/grafana DESTINATION ${CMAKE_INSTALL_DATADIR}/agentauri
  USE_SOURCE_PERMISSIONS)
install(PROGRAMS script/go-live-check DESTINATION ${CMAKE_INSTALL_DATADIR}/agentauri)
install(FILES deploy/systemd/README.md docs/configuration.md docs/backup.md docs/deployment/PRODUCTION_DEPLOYMENT_GUIDE.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME agentauri)
set(CPACK_PACKAGE_VENDOR "AgentAuri")
set(CPACK_PACKAGE_CONTACT "AgentAuri <support@agentauri.ai>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "watches the ERC-8004 agent registries and delivers signed alerts")
set(CPACK_PACKAGE_HOMEPAGE_URL "https://github.com/agentauri/api.agentauri.ai")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_SET_DESTDIR ON)   # for what lies in /etc
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES OFF)   # line tables stay: a backtrace says where
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# systemd-sysusers and systemd-tmpfiles are called by postinst; names of other hosts are checked against ca-certificates.
set(CPACK_DEBIAN_PACKAGE_DEPENDS "systemd (>= 247), ca-certificates")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "logrotate")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "postgresql (>= 15), postgresql-client, redis-server, nginx")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"An API gateway with accounts, organizations and triggers, an indexer of EVM
chains, an engine that evaluates the triggers, and workers that deliver what
they found: one program, as one service or as one per role.")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(DEBIAN_CONTROL ${CMAKE_CURRENT_SOURCE_DIR}/deploy/debian)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
  "${DEBIAN_CONTROL}/postinst;${DEBIAN_CONTROL}/prerm;${DEBIAN_CONTROL}/postrm;${DEBIAN_CONTROL}/conffiles")
include(CPack)
