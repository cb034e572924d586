# Compiler, flags and cache. Why each is here: docs/dependencies.md.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  message(FATAL_ERROR "g++ ${CMAKE_CXX_COMPILER_VERSION} miscompiles coroutines: use clang++-19 (cmake --preset dev)")
endif()

# A base directory and no hashed directory: a fresh clone in another folder hits the cache too.
find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime CCACHE_PCH_EXTSUM=1 ${CCACHE})
endif()

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS ON)   # gnu++23: only then is __int128 an integral type of the library
set(CMAKE_CXX_SCAN_FOR_MODULES OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

add_compile_options(-fPIE -ffile-prefix-map=${CMAKE_SOURCE_DIR}=. -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Werror -Wno-missing-designated-field-initializers
  -fstack-protector-strong -ftrivial-auto-var-init=zero -fno-omit-frame-pointer)
# Asio and Beast are compiled once (src/net/asio_impl.cpp); every file must agree on these.
add_compile_definitions(_GLIBCXX_ASSERTIONS BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION
  BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_COROUTINE)
if(AGENTAURI_FORTIFY)   # useless without optimisation, and at odds with the sanitizers
  add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
endif()

find_program(MOLD mold)
if(MOLD AND NOT AGENTAURI_FUZZ)
  add_link_options(-fuse-ld=mold)
else()
  add_link_options(-fuse-ld=lld)
endif()
# Line tables stay in the release, so that a backtrace says where; compressed they cost a third.
add_link_options($<$<CONFIG:Release>:-Wl,--compress-debug-sections=zlib>)
add_link_options(-pie -Wl,-z,relro,-z,now -Wl,--as-needed)
