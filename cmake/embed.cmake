# embed_text(TARGET NAME file...): compiles text files into TARGET as
#   namespace agentauri::embedded { extern const std::vector<EmbeddedFile> NAME; }     (core/base/embedded.hpp)
# Generated when CMake configures, and again when a file changes; `#embed` would do, but ccache does not see what it read.
function(embed_text TARGET NAME)
  set(OUT ${CMAKE_CURRENT_BINARY_DIR}/embedded_${NAME}.cpp)
  set(TEXT "#include \"core/base/embedded.hpp\"\n\nnamespace agentauri::embedded {\nconst std::vector<EmbeddedFile>& ${NAME}() {\n  static const std::vector<EmbeddedFile> files{\n")
  foreach(FILE IN LISTS ARGN)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${FILE})
    get_filename_component(BASE ${FILE} NAME)
    file(READ ${FILE} CONTENT)
    string(APPEND TEXT "    {\"${BASE}\", R\"__embedded__(${CONTENT})__embedded__\"},\n")
  endforeach()
  string(APPEND TEXT "  };\n  return files;\n}\n}  // namespace agentauri::embedded\n")
  file(GENERATE OUTPUT ${OUT} CONTENT "${TEXT}")
  target_sources(${TARGET} PRIVATE ${OUT})
endfunction()

# embed_folder(TARGET NAME FOLDER): the same for every file below FOLDER, bytes of any kind, named as they lie there; empty
# when there is no such folder. Made anew when a file there changes, comes or goes.
function(embed_folder TARGET NAME FOLDER)
  set(OUT ${CMAKE_CURRENT_BINARY_DIR}/embedded_${NAME}.cpp)
  set(SCRIPT ${PROJECT_SOURCE_DIR}/cmake/embed_folder.py)
  file(GLOB_RECURSE FILES CONFIGURE_DEPENDS ${FOLDER}/*)
  add_custom_command(OUTPUT ${OUT} COMMAND ${PYTHON3} ${SCRIPT} ${FOLDER} ${NAME} ${OUT} DEPENDS ${SCRIPT} ${FILES}
    COMMENT "Embedding ${NAME}" VERBATIM)
  target_sources(${TARGET} PRIVATE ${OUT})
endfunction()
