# A precompiled header of system headers alone, with AGENTAURI_PCH (preset release): see docs/adr/0008.
#
# CMake's own target_precompile_headers() passes absolute paths behind -Xclang, and then no other clone hits the compiler
# cache. Here the path is relative to the build folder, and what ccache looks at instead of the file (which holds absolute
# paths) is a checksum of the preprocessed headers beside it.
option(AGENTAURI_PCH "Read common system headers from a precompiled header" OFF)
if(NOT AGENTAURI_PCH)
  return()
endif()

set(PCH_HEADER ${CMAKE_SOURCE_DIR}/cmake/common_headers.hpp)
set(PCH_FILE CMakeFiles/agentauri_pch.dir/cmake/common_headers.hpp.o)   # relative: Ninja runs in the build folder
add_library(agentauri_pch OBJECT ${PCH_HEADER})
set_source_files_properties(${PCH_HEADER} PROPERTIES LANGUAGE CXX HEADER_FILE_ONLY OFF
  COMPILE_OPTIONS "-x;c++-header;-Xclang;-fno-pch-timestamp")
target_link_libraries(agentauri_pch PRIVATE Boost::headers Boost::json fmt::fmt)
add_custom_command(OUTPUT ${PCH_FILE}.sum
  COMMAND ${CMAKE_CXX_COMPILER} -std=gnu++2b -E -P -x c++ ${PCH_HEADER} | sha256sum > ${PCH_FILE}.sum
  DEPENDS ${PCH_HEADER} agentauri_pch VERBATIM COMMENT "Checksum of the precompiled header")
add_custom_target(agentauri_pch_ready DEPENDS ${PCH_FILE}.sum)

# Every target made from here on reads it; core waits for it, and everything else for core.
add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:SHELL:-include-pch ${PCH_FILE}>")
