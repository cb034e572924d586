// The description's own servers are others: what is tried out here goes to the host that the page came from.
const OwnServer = () => ({
  statePlugins: {
    spec: {
      wrapActions: {
        updateJsonSpec: (original) => (spec) => original({ ...spec, servers: [{ url: location.origin }] }),
      },
    },
  },
});

// Nothing of the page's address is read, and nothing that is typed in is kept.
SwaggerUIBundle({
  url: '/api/v1/openapi.json',
  dom_id: '#page',
  deepLinking: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
  queryConfigEnabled: false,
  persistAuthorization: false,
  validatorUrl: null,
  plugins: [OwnServer],
});
