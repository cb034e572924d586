# Debian 12 packages only; each one's reason stands in docs/dependencies.md.
set(Boost_USE_STATIC_LIBS ON)   # Ubuntu 22.04 ships an older Boost
find_package(Boost 1.81 REQUIRED COMPONENTS url json)
find_package(OpenSSL 3.0 REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(PostgreSQL REQUIRED)
find_package(fmt 9 REQUIRED)
find_package(CLI11 REQUIRED)
find_package(prometheus-cpp REQUIRED)
find_package(Threads REQUIRED)
find_package(GTest REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(sodium REQUIRED IMPORTED_TARGET libsodium)
pkg_check_modules(argon2 REQUIRED IMPORTED_TARGET libargon2)
find_package(ZLIB REQUIRED)
pkg_check_modules(brotli REQUIRED IMPORTED_TARGET libbrotlienc libbrotlidec)   # tests alone read it back
find_library(SECP256K1_ARCHIVE libsecp256k1.a REQUIRED)   # static: Ubuntu 22.04 has another soname
add_library(secp256k1 STATIC IMPORTED GLOBAL)
set_target_properties(secp256k1 PROPERTIES IMPORTED_LOCATION ${SECP256K1_ARCHIVE})
