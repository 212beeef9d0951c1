/** How the OpenAPI document comes out of the schemas that validate, and what Fastify's plugin has no word for. */
import type { SwaggerOptions } from '@fastify/swagger';
import { jsonSchemaTransform } from 'fastify-type-provider-zod';
import { BEARER_SCHEME } from '../keys/routes.ts';
import { OPTIONAL_BODY } from '../keys/schema.ts';

/** @param hasAdmin whether there are routes that ask for a token */
export function documentOptions(version: string, hasAdmin: boolean): SwaggerOptions {
  const bearer = { [BEARER_SCHEME]: { type: 'http', scheme: 'bearer' } } as const;
  return {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Headroom',
        version,
        description: 'May this request pass, and what should its caller be told?',
      },
      ...(hasAdmin && { components: { securitySchemes: bearer } }),
    },
    transform: jsonSchemaTransform,
    transformObject: (document) => {
      if (!('openapiObject' in document)) return document.swaggerObject;
      freeOptionalBodies(document.openapiObject as Paths);
      return document.openapiObject;
    },
  };
}

/** As much of a document as is to be changed. */
interface Paths {
  readonly paths?: Readonly<Record<string, { readonly post?: { readonly requestBody?: Body } }>>;
}

interface Body {
  required?: boolean;
  readonly content?: Readonly<Record<string, { readonly schema?: object }>>;
}

/** The plugin calls every body required. */
function freeOptionalBodies({ paths = {} }: Paths): void {
  for (const { post } of Object.values(paths)) {
    const body = post?.requestBody;
    const schema = body?.content?.['application/json']?.schema;
    if (body !== undefined && schema !== undefined && OPTIONAL_BODY in schema) body.required = false;
  }
}
